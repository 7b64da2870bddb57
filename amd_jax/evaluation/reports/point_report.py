"""Reports on a model of pairs of classes: density and samples beside the data, as pictures."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float, Integer
from PIL import Image

from amd_jax.evaluation import likelihood, pictures
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports.plain_report import PlainReport, stem_of, write_arrays
from amd_jax.host.printable import in_one_line
from amd_jax.models.bounds import ImportanceWeighted
from amd_jax.types import Dataset, Model, Params

Cells = Float[np.ndarray, "K K"]  # float64, one for each pair of classes
CELL = 4  # pixels a side
DRAWS = 16  # importance samples per cell


def density(model: Model, params: Params, num_classes: int) -> Cells:
    """p(x) of every pair of classes, by `DRAWS` importance samples each."""
    cells = np.stack(np.divmod(np.arange(num_classes**2), num_classes), axis=1)
    log_p = likelihood.nats_of_rows(
        ImportanceWeighted(DRAWS), model, params, jax.random.key(0), cells, num_classes
    )
    return np.exp(log_p).reshape(num_classes, num_classes)


def counts(x: Integer[np.ndarray, "N 2"], num_classes: int) -> Cells:
    """Share of the points x in every cell; other codes are left out."""
    x = x[((x >= 0) & (x < num_classes)).all(axis=1)]
    result = np.bincount(x[:, 0] * num_classes + x[:, 1], minlength=num_classes**2)
    return result.reshape(num_classes, num_classes) / max(1, len(x))


def shaded(p: Cells) -> Image.Image:
    """Probabilities as a square: darker is more."""
    shade = 255 - 255 * np.sqrt(p / max(p.max(), 1e-30)).clip(0, 1)
    size = (len(p) * CELL, len(p) * CELL)
    return Image.fromarray(shade.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)


@dataclasses.dataclass(frozen=True)
class PointReport(PlainReport):
    """The report on pairs of classes: pictures."""

    def samples(self, drawn: Rows, stem: Path | None) -> list[str]:
        """A picture of samples, and the share of them that hold codes of no class."""
        k, outside = self.facts.num_classes, (drawn < 0).any(axis=1).mean()
        lines = [f"samples outside the grid: {outside:.2%} of {len(drawn):,}"]
        if stem is None:
            return lines
        stem = write_arrays(stem, samples=drawn)
        path = stem.with_name(f"{stem.name}.png")
        panels = {"samples of the model": shaded(counts(drawn, k))}
        pictures.write(pictures.side_by_side(panels), path)
        return [*lines, f"picture: {in_one_line(path)}"]

    def preview(self, drawn: Rows) -> Image.Image:
        """A picture of all samples."""
        return shaded(counts(drawn, self.facts.num_classes))

    def compared(
        self, drawn: Rows, stem: Path | None, model: Model, params: Params, data: Dataset
    ) -> tuple[list[str], list[Measurement]]:
        """The mass that the model has, and a picture of data, model and samples side by side."""
        k, p = self.facts.num_classes, density(model, params, self.facts.num_classes)
        split = "test" if "test" in data.splits else "train"
        shares = {
            "data": counts(np.asarray(data.rows(split), np.int64), k),
            "density of the model": p,
            "samples of the model": counts(drawn, k),
        }
        if stem:
            panels = {title: shaded(share) for title, share in shares.items()}
            picture, stem = pictures.side_by_side(panels), stem_of(stem, samples=drawn)
            pictures.write(picture, stem.with_name(f"{stem.name}.png"))
        mass = f"mass of all {k} x {k} cells, {DRAWS} importance samples each: {p.sum():.3f}"
        return [mass], []
