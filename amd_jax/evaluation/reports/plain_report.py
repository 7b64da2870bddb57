"""Reports on a model of rows of any shape: the numbers themselves."""

import dataclasses
import io
import itertools
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Shaped
from PIL import Image

from amd_jax.evaluation import filling, gallery, means
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.facts import UNUSED_SIGN, Facts
from amd_jax.host import filesystem
from amd_jax.host.printable import in_one_line
from amd_jax.types import Dataset, Model, Params

Marks = Bool[np.ndarray, "*event"]  # of the tokens of a row
Saved = Shaped[np.ndarray, "..."]
SHOWN = 8  # rows on the console, at most


@dataclasses.dataclass(frozen=True)
class PlainReport:
    """Reports on one kind of data, in lines; files are written to given paths.

    To add a kind of data: facts of its own (`facts.Facts`), and if lines of numbers will not do, a
    subclass of this and a line in `run_report.of`. `stem` is the path of files but for what their
    names end in; None for none.
    """

    facts: Facts

    chains: ClassVar[int] = 1  # samples in a chain
    frames: ClassVar[int] = 9  # its states, at most

    def samples(self, drawn: Rows, stem: Path | None) -> list[str]:
        """Samples on the console, all of them as text and as an array in files."""
        texts = [self.facts.show(x) for x in drawn]
        lines = [
            f"sample {i + 1}:\n{gallery.wrapped(text)}" for i, text in enumerate(texts[:SHOWN])
        ]
        if len(texts) > SHOWN:
            lines.append(f"... and {len(texts) - SHOWN:,} more")
        lines += gallery.unused(drawn, UNUSED_SIGN)
        if stem:
            lines += written(stem, {"samples": drawn}, texts)
        return lines

    def preview(self, drawn: Rows) -> str | Image.Image:
        """Some of the samples as Markdown, or as a picture."""
        return "\n\n".join(gallery.wrapped(self.facts.show(x)) for x in drawn[:SHOWN])

    def compared(
        self, drawn: Rows, stem: Path | None, model: Model, params: Params, data: Dataset
    ) -> tuple[list[str], list[Measurement]]:
        """Samples compared with the data: lines, and figures; empty if no measure is known."""
        result = self.measures(drawn, data)
        valid = result.get("valid")
        return [] if valid is None else [f"samples that are valid: {valid[0]:.1%}"], []

    def measures(
        self, drawn: Rows, data: Dataset, *, independent: bool = True
    ) -> dict[str, tuple[float, float | None]]:
        """Measures of rows, each with its standard error, if it has one.

        Here the share that is valid, of data that tell by `valid(x)` which rows are. Samples are
        `independent`; rows of a split, which follow each other, are not.
        """
        if not hasattr(data, "valid"):
            return {}
        return {"valid": means.of(data.valid(drawn), independent=independent)}

    def yardsticks(
        self, data: Dataset, split: str, number: int | None, bits: PerRow | None = None
    ) -> tuple[str, list[Measurement]]:
        """What simpler models reach on the same rows: as text, and as figures; empty if none.

        With the `bits` of a model on these rows, what it needs more than each of them is a figure,
        too.
        """
        return "", []

    def counted(self, data: Dataset, rows: Rows, hidden: filling.Gaps) -> PerRow | None:
        """Bits of the hidden tokens by a count model, given what is left of them; None if none."""
        return None

    def chain(self, frames: list[tuple[float, Rows]], stem: Path | None) -> list[str]:
        """States (t, x) on their way from noise to data: the first row of each."""
        shown = [(t, self.facts.show(x[0])) for t, x in frames]
        lines = [f"t = {t:.2f}\n{gallery.wrapped(text)}" for t, text in shown]
        if stem:
            times, states = (np.array(part) for part in zip(*frames, strict=True))
            texts = [f"{t:.4f}\t{text}" for t, text in shown]
            lines += written(stem, {"times": times, "states": states}, texts)
        return lines

    def corrected(
        self,
        before: Rows,
        after: Rows,
        rows: Rows | None,
        stem: Path | None,
        done: str = "corrected",
    ) -> list[str]:
        """Rows before and after an edit, and as they should be, if that is known."""
        changed = int((before[0] != after[0]).sum())
        return [
            f"given:\n{gallery.wrapped(self.facts.show(before[0]))}",
            f"{done} ({changed} changed):\n{gallery.wrapped(self.facts.show(after[0]))}",
            *write_edit(before, after, rows, stem, done),
        ]


def held_out(data: Dataset) -> str:
    """The split to judge a model by: test rows if there are any, else validation or training."""
    return next(split for split in ("test", "validation", "train") if split in data.splits)


def content(data: Dataset, split: str) -> np.ndarray:
    """All of a split: what its rows leave out as well, where a data set has that."""
    return getattr(data, "content", data.rows)(split)


def written(stem: Path, arrays: dict[str, Saved], texts: list[str]) -> list[str]:
    """Writes arrays and texts, a line each, to files; lines that name them."""
    stem = write_arrays(stem, **arrays)
    array, text = stem.with_name(f"{stem.name}.npz"), stem.with_name(f"{stem.name}.txt")
    lines = [line.replace("\n", "⏎") for line in texts]
    filesystem.write(text, "".join(f"{line}\n" for line in lines).encode())
    return [f"text: {in_one_line(text)}", f"array: {in_one_line(array)}"]


def write_edit(
    before: Rows, after: Rows, rows: Rows | None, stem: Path | None, done: str
) -> list[str]:
    """Writes edited rows and what was given, unless that was damaged for a trial."""
    if stem is None or rows is not None:
        return []
    stem = write_arrays(stem, given=before, **{done: after})
    return [f"array: {in_one_line(stem.with_name(f'{stem.name}.npz'))}"]


def write_arrays(stem: Path, **arrays: Saved) -> Path:
    """Writes {stem}.npz, or {stem}-2.npz and so on where that holds other arrays; its stem.

    So what was made before stays, and the same arrays again are the same file.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    content = _packed(arrays)
    stem = _free(stem, content)
    filesystem.write(stem.with_name(f"{stem.name}.npz"), content)
    return stem


def stem_of(stem: Path, **arrays: Saved) -> Path:
    """The stem under which `write_arrays` has written arrays."""
    return _free(stem, _packed(arrays))


def _packed(arrays: dict[str, Saved]) -> bytes:
    """The bytes of an .npz."""
    result = io.BytesIO()
    np.savez_compressed(result, **arrays)  # type: ignore[arg-type]  # no `allow_pickle` is here
    return result.getvalue()


def _free(stem: Path, content: bytes) -> Path:
    """The first of stem, stem-2, stem-3, ... whose .npz is missing, or has this content."""
    stems = itertools.chain(
        [stem], (stem.with_name(f"{stem.name}-{i}") for i in itertools.count(2))
    )
    return next(s for s in stems if not _is_other(s.with_name(f"{s.name}.npz"), content))


def _is_other(path: Path, content: bytes) -> bool:
    """Whether a regular file has another content."""
    try:
        with filesystem.regular(path, follow=False) as file:
            return filesystem.size(file) != len(content) or file.read() != content
    except OSError:  # it is missing, or a link or pipe, which `filesystem.write` deals with
        return False
