"""What a run says of a trained model of label maps: pictures, and a measure of its samples."""

import dataclasses
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np

from amd_jax.evaluation import gallery, infill, pictures
from amd_jax.models import Diffusion
from amd_jax.types import Model, Params

BATCH = 16  # maps drawn at a time: many samples need no more memory
SHOWN = 64  # of the samples, at most
CHAINS, FRAMES = 4, 26  # maps in the film of a chain; its pictures, between which 25 divides T
STILLS, STILL_SIDE = 9, 128  # pictures beside each other, pixels of a map there
CORRECTED = 4  # maps in the picture of a correction


@dataclasses.dataclass(frozen=True)
class MapReport:
    """The report (`report.Report`) on maps (N, H, W) of categories that have a palette."""

    data: Any
    rows: str = "maps"
    num_samples: int = 16

    def yardsticks(self, *, split: str, num_texts: int | None) -> str:
        """None."""
        return ""

    def samples(
        self, model: Model, params: Params, workdir: Path, *, num_samples: int, seed: int
    ) -> str:
        """A picture of samples beside real maps, and their distance to the test maps.

        The distance of as many training maps, beside it, is a yardstick.
        """
        shape, path = (num_samples, *self.data.event_shape), workdir / "samples.png"
        drawn = gallery.samples(model, params, jax.random.key(seed), shape, BATCH)
        train, test = (self._some(split, num_samples, seed) for split in ("train", "test"))
        panels = {"samples": drawn[:SHOWN], "test maps": test[:SHOWN]}
        pictures.write_panels(panels, self.data.palette, path)
        real, k = self.data.rows("test"), self.data.num_classes
        sampled, yardstick = (pictures.neighbour_distance(x, real, k) for x in (drawn, train))
        unused = f"RGB {tuple(pictures.unused_colour(self.data.palette).tolist())}"
        lines = [
            f"neighbour distance to the test maps: {num_samples} samples {sampled:.3f}, "
            f"{len(train)} training maps {yardstick:.3f}",
            *gallery.unused(drawn, unused),
            f"picture: {path}",
        ]
        return "\n".join(lines)

    def chain(self, model: Diffusion, params: Params, workdir: Path, *, seed: int) -> str:
        """A film of samples on their way from noise to maps, and stills of it side by side."""
        shape, palette = (CHAINS, *self.data.event_shape), self.data.palette
        film, stills = workdir / "chain.gif", workdir / "chain.png"
        frames = gallery.chain(model, params, jax.random.key(seed), shape, FRAMES)
        titled = [(f"t = {t:.2f}", x) for t, x in frames]
        pictures.write_gif(
            [pictures.side_by_side({title: pictures.grid(x, palette)}) for title, x in titled],
            film,
        )
        places = np.linspace(0, len(titled) - 1, STILLS).round().astype(int)
        panels = dict(titled[i] for i in places)
        pictures.write_panels(panels, palette, stills, columns=1, side=STILL_SIDE)
        return f"film: {film}\nstills: {stills}"

    def tokens(self, text: str) -> NoReturn:
        """ValueError: a map is not text."""
        raise ValueError(
            "--text is for data that are text; this experiment has maps. Leave it out: "
            "--mode=correct then restores damaged maps."
        )

    def correction(
        self, model: Diffusion, params: Params, *, text: str, error_rate: float
    ) -> NoReturn:
        """ValueError, as `tokens`."""
        self.tokens(text)

    def restored(self, trial: infill.Trial, rows: np.ndarray, workdir: Path) -> str:
        """A picture of the first maps (N, H, W) of a trial."""
        path = workdir / "corrected.png"
        panels = {"damaged": trial.damaged, "corrected": trial.restored, "original": rows}
        first = {title: x[:CORRECTED] for title, x in panels.items()}
        pictures.write_panels(first, self.data.palette, path, columns=1)
        return f"picture: {path}"

    def _some(self, split: str, number: int, seed: int) -> np.ndarray:
        """That many different maps of a split at random, or all: (N, H, W)."""
        rows = self.data.rows(split)
        rng = np.random.default_rng(seed)
        return rows[rng.choice(len(rows), min(number, len(rows)), replace=False)]
