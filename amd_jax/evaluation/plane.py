"""Distributions over pairs of classes, as pictures: density and samples beside the data."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from amd_jax.evaluation import gallery, likelihood, pictures, text_report
from amd_jax.types import Model, Params

CELL = 4  # pixels a side
DRAWS = 16  # importance samples per cell


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


def picture(x: np.ndarray, p: np.ndarray, drawn: np.ndarray) -> Image.Image:
    """Points x (N, 2), the mass p (K, K) of a model, and points drawn from it, side by side."""
    k = len(p)
    shares = {
        "data": counts(x, k), "density of the model": p, "samples of the model": counts(drawn, k)
    }  # fmt: skip
    return pictures.side_by_side({title: shaded(share) for title, share in shares.items()})


def shaded(p: np.ndarray) -> Image.Image:
    """A mass (K, K) as a square, the darker the more."""
    shade = 255 - 255 * np.sqrt(p / max(p.max(), 1e-30)).clip(0, 1)
    size = (len(p) * CELL, len(p) * CELL)
    return Image.fromarray(shade.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)


@dataclasses.dataclass(frozen=True)
class PointReport(text_report.TextReport):
    """The report (`report.Report`) on pairs of classes: a picture, and all else as text."""

    rows: str = "points"
    num_samples: int = 20_000

    def yardsticks(self, *, split: str, num_texts: int | None) -> str:
        """None."""
        return ""

    def samples(
        self, model: Model, params: Params, workdir: Path, *, num_samples: int, seed: int
    ) -> str:
        """A picture of data, model density and samples, and the mass that the model has."""
        k, path = self.data.num_classes, workdir / "samples.png"
        p = density(model, params, k, seed)
        shape = (num_samples, *self.data.event_shape)
        drawn = gallery.samples(model, params, jax.random.key(seed), shape)
        pictures.write(picture(np.asarray(self.data.rows("test"), np.int64), p, drawn), path)
        return (
            f"mass of all {k} x {k} cells, {DRAWS} importance samples each: {p.sum():.3f}\n"
            f"samples outside the grid: {(drawn < 0).any(axis=1).mean():.2%} of {num_samples:,}\n"
            f"picture: {path}"
        )
