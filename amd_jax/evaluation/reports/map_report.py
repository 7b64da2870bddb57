"""Reports on a model of label maps: pictures, and measures of its samples."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Integer
from PIL import Image

from amd_jax.evaluation import gallery, label_success, means, pictures
from amd_jax.evaluation.means import Row, Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports.plain_report import (
    Marks,
    PlainReport,
    held_out,
    stem_of,
    write_arrays,
)
from amd_jax.facts import MapFacts
from amd_jax.host.printable import in_one_line
from amd_jax.types import Dataset, Model, Params

SHOWN = 64  # of the samples, at most
STILLS, STILL_SIDE = 9, 128  # pictures beside each other, pixels of a map there
FILM = ("gif", "png", "npz")  # how the files of a chain end
CORRECTED = 4  # maps in the picture of an edit


@dataclasses.dataclass(frozen=True)
class MapReport(PlainReport):
    """The report on maps (H, W) of categories that have colours, in rows with or without labels.

    Pictures and measures are of the maps, arrays of whole rows.
    """

    facts: MapFacts

    chains: ClassVar[int] = 4  # maps in the film of a chain
    frames: ClassVar[int] = 26  # its pictures, between which 25 divides T

    @property
    def palette(self) -> pictures.Palette:
        """The colours of categories, of codes of no class, and of noise."""
        return pictures.Palette.of(self.facts.colours)

    def samples(self, drawn: Rows, stem: Path | None) -> list[str]:
        """A picture of samples, and all of them as an array."""
        unused = f"RGB {tuple(self.palette.unused.tolist())}"
        lines = gallery.unused(drawn, unused)
        if stem is None:
            return [*lines, f"{len(drawn)} samples; no place for a picture of them was given"]
        return lines + self.kept({self.title(drawn): drawn[:SHOWN]}, {"samples": drawn}, stem)

    def title(self, drawn: Rows) -> str:
        """What is written over samples: their label, if all have one."""
        label = self.facts.label(drawn[0])
        if not label or any(self.facts.label(x) != label for x in drawn):
            return "samples"
        return f"samples with the label {in_one_line(label)}"

    def preview(self, drawn: Rows) -> Image.Image:
        """A picture of some samples."""
        return pictures.grid(self.facts.maps(drawn[:SHOWN]), self.palette)

    def measures(
        self, drawn: Rows, data: Dataset, *, independent: bool = True
    ) -> dict[str, tuple[float, float | None]]:
        """The distance of their neighbourhoods to those of held-out maps."""
        maps, real = (self.facts.maps(x) for x in (drawn, data.rows(held_out(data))))
        distance = pictures.neighbour_distance(maps, real, self.facts.categories)
        result: dict[str, tuple[float, float | None]] = {"neighbour_distance": (distance, None)}
        if self.facts.label_rule:
            fits = self.facts.have_label(drawn)
            result["label_success"] = means.of(fits, independent=independent)
        return result

    def compared(
        self, drawn: Rows, stem: Path | None, model: Model, params: Params, data: Dataset
    ) -> tuple[list[str], list[Measurement]]:
        """The distance of samples to held-out maps, which the picture shows beside them.

        The distance of as many training maps, beside it, is a yardstick.
        """
        split, number = held_out(data), len(drawn)
        train, real = (_some(data.rows(s), number) for s in ("train", split))
        measured = (self.measures(x, data)["neighbour_distance"] for x in (drawn, train))
        (sampled, _), (yardstick, _) = measured
        if stem:
            stem = stem_of(stem, samples=drawn)
            panels = {"samples": drawn[:SHOWN], f"{split} maps": real[:SHOWN]}
            self.write(panels, stem.with_name(f"{stem.name}.png"))
        lines = [
            f"neighbour distance to the {split} maps: {number} samples {sampled:.3f}, "
            f"{len(train)} training maps {yardstick:.3f}"
        ]
        if not self.facts.label_rule:
            return lines, []
        more, figures = label_success.by_label(self.facts, drawn)
        return lines + more, [dataclasses.replace(figure, split=split) for figure in figures]

    def chain(self, frames: list[tuple[float, Rows]], stem: Path | None) -> list[str]:
        """A film of samples on their way from noise to maps, stills of it, and its states."""
        if stem is None:
            return ["no place for a film was given"]
        times, states = (np.array(part) for part in zip(*frames, strict=True))
        stem = write_arrays(stem, times=times, states=states)
        film, stills, array = (stem.with_name(f"{stem.name}.{end}") for end in FILM)
        titled = [(f"t = {t:.2f}", self.facts.maps(x)) for t, x in frames]
        grids = [{title: pictures.grid(x, self.palette)} for title, x in titled]
        pictures.write_gif([pictures.side_by_side(grid) for grid in grids], film)
        places = np.linspace(0, len(titled) - 1, STILLS).round().astype(int)
        panels = dict(titled[i] for i in places)
        pictures.write_panels(panels, self.palette, stills, columns=1, side=STILL_SIDE)
        named = {"film": film, "stills": stills, "array": array}
        return [f"{what}: {in_one_line(path)}" for what, path in named.items()]

    def corrected(
        self,
        before: Rows,
        after: Rows,
        rows: Rows | None,
        stem: Path | None,
        done: str = "corrected",
    ) -> list[str]:
        """A picture of the first maps before and after an edit, and all as arrays."""
        if stem is None:
            return ["no place for a picture was given"]
        panels = {"damaged" if rows is not None else "given": before, done: after}
        if rows is not None:
            panels["original"] = rows
        first = {title: x[:CORRECTED] for title, x in panels.items()}
        return self.kept(first, panels, stem, columns=1)

    def filled(
        self,
        x: Row,
        known: Marks,
        wanted: Marks,
        drawn: Rows,
        captions: list[str],
        stem: Path | None,
    ) -> list[str]:
        """A picture of a map with its hole, and of its fillings beside it."""
        if stem is None:
            return [*captions, "no place for a picture was given"]
        holed = np.where(known, x, self.facts.num_classes)[None]  # masks, in the colour of noise
        panels = {"given": holed, "fillings": drawn[:SHOWN]}
        return [*captions, *self.kept(panels, {"given": holed[0], "fillings": drawn}, stem)]

    def kept(
        self,
        panels: dict[str, Rows],
        arrays: dict[str, Integer[np.ndarray, "..."]],
        stem: Path,
        columns: int | None = None,
    ) -> list[str]:
        """Writes panels of maps as one picture, and arrays; lines that name both."""
        stem = write_arrays(stem, **arrays)
        array, path = (stem.with_name(f"{stem.name}.{end}") for end in ("npz", "png"))
        self.write(panels, path, columns)
        return [f"picture: {in_one_line(path)}", f"array: {in_one_line(array)}"]

    def write(self, panels: dict[str, Rows], path: Path, columns: int | None = None) -> None:
        """Writes the maps of panels of rows as one picture."""
        maps = {title: self.facts.maps(x) for title, x in panels.items()}
        pictures.write_panels(maps, self.palette, path, columns)


def _some(rows: Rows, number: int) -> Integer[np.ndarray, "M *event"]:
    """`number` different maps at random, or all."""
    rng = np.random.default_rng(0)
    return rows[rng.choice(len(rows), min(number, len(rows)), replace=False)]
