"""Distributions over pairs of classes, as pictures: density and samples beside the data."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image, ImageDraw

from amd_jax.evaluation import gallery, likelihood
from amd_jax.types import Model, Params

CELL = 4  # pixels a side
GAP, TITLE = 12, 16  # pixels
SAMPLES, DRAWS = 20_000, 16  # points drawn, importance samples per cell


def density(model: Model, params: Params, num_classes: int, seed: int = 0) -> np.ndarray:
    """p(x) of every pair of classes, by `DRAWS` importance samples each: float64 (K, K)."""
    cells = np.stack(np.divmod(np.arange(num_classes**2), num_classes), axis=1)
    log_p = likelihood.log_likelihoods(
        model, params, jax.random.key(seed), cells, num_classes, DRAWS
    )
    return np.exp(log_p).reshape(num_classes, num_classes)


def counts(x: np.ndarray, num_classes: int) -> np.ndarray:
    """Share of the points x (N, 2) in every cell: float64 (K, K); other codes are left out."""
    x = x[(x >= 0).all(axis=1)]
    found = np.bincount(x[:, 0] * num_classes + x[:, 1], minlength=num_classes**2)
    return found.reshape(num_classes, num_classes) / max(1, len(x))


def picture(model: Model, params: Params, data: Any, path: Path, seed: int = 0) -> list[str]:
    """Writes a PNG of data, model density and samples; returns what it shows, in lines."""
    k = data.num_classes
    found = density(model, params, k, seed)
    rng = jax.random.key(seed)
    drawn = gallery.samples(model, params, rng, (SAMPLES, *data.event_shape))
    points = counts(np.asarray(data.rows("test"), np.int64), k)
    panels = {
        "data": points, "density of the model": found, "samples of the model": counts(drawn, k)
    }  # fmt: skip
    side = k * CELL
    image = Image.new("L", (len(panels) * (side + GAP) - GAP, side + TITLE), 255)
    draw = ImageDraw.Draw(image)
    for i, (title, p) in enumerate(panels.items()):
        left = i * (side + GAP)
        shade = 255 - np.sqrt(p / p.max()).clip(0, 1) * 255
        panel = Image.fromarray(shade.astype(np.uint8)).resize((side, side), Image.NEAREST)
        image.paste(panel, (left, TITLE))
        draw.text((left, 2), title, fill=0)
    image.save(path)
    return [
        f"mass of all {k} x {k} cells, {DRAWS} importance samples each: {found.sum():.3f}",
        f"samples outside the grid: {(drawn < 0).any(axis=1).mean():.2%} of {SAMPLES:,}",
        f"picture: {path}",
    ]
