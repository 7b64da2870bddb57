"""What a table holds, column by column, counted in one pass over its blocks. Needs pyarrow.

Texts are counted one by one, up to a number. Beyond it a column of numbers, or of dates, is known
by its smallest and largest value, its decimals, and what all values are a multiple of.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Integer

from amd_jax.data.reading.date_tallies import Dates
from amd_jax.data.reading.number_tallies import Numbers
from amd_jax.data.reading.table_blocks import Cells
from amd_jax.facts.column import MISSING

COUNTED = 1 << 17  # texts of a column of numbers or dates that are counted one by one
MOST_TEXTS = 1 << 20  # texts of any column
ALL_DIFFERENT = 0.95  # of the cells: from here on each is one's own
MOST_SIGNS = 1 << 27  # characters of all of them


class Tally:
    """One column: how often each text occurs, and its numbers or dates.

    With `every` it counts any number of texts; with a `form` only dates of that form are dates.
    """

    def __init__(self, name: str, every: bool = False, form: str = "", marks: Sequence[str] = ()):
        self.name, self.rows, self.every = name, 0, every
        self.counts: dict[str, int] | None = {}
        self.length = 0  # of all texts that are counted
        self.numbers, self.dates = Numbers(), Dates(form)
        self.marks = dict.fromkeys(marks or MISSING, 0)  # how often each occurs
        self._marks = pa.array([*self.marks], pa.string())

    def add(self, cells: Cells) -> None:
        """Adds the cells of a block.

        Raises:
            ValueError: for more texts than can be counted.
        """
        self.rows += len(cells.places)
        number = np.bincount(cells.places, minlength=len(cells.texts))
        used = cells.texts.filter(pa.array(number > 0)) if not number.all() else cells.texts
        number = number[number > 0]
        marked = pc.is_in(used, self._marks)
        absent = marked.to_numpy(zero_copy_only=False)
        for text, count in zip(used.filter(marked).to_pylist(), number[absent], strict=True):
            self.marks[text] += int(count)
        present = used.filter(pc.invert(marked))
        self.numbers.add(present)
        self.dates.add(present)
        if self.counts is not None:
            self._count(self.counts, present.to_pylist(), number[~absent])
        if self.counts is None and not (self.numbers.alive or self.dates.alive):
            raise self._mixed()

    def _count(
        self, counts: dict[str, int], texts: Sequence[str], number: Integer[np.ndarray, "K"]
    ) -> None:
        for text, count in zip(texts, number.tolist(), strict=True):
            if text in counts:
                counts[text] += count
            else:
                counts[text] = count
                self.length += len(text)
        numeric = self.numbers.alive and not self.numbers.leading_zeros
        regular = (numeric or self.dates.alive) and not self.every
        if len(counts) > COUNTED and regular:
            self.counts = None
        elif len(counts) > MOST_TEXTS or self.length > MOST_SIGNS:
            raise ValueError(
                f"A column of categories has at most {MOST_TEXTS:,} of them, and {MOST_SIGNS:,} "
                f"characters; {self.shown} has more in {self.rows:,} rows. Leave it out: "
                f'columns="{self.name}:drop".'
            )

    @property
    def shown(self) -> str:
        """The column, for messages."""
        return f"column {self.name[:60]!r}"

    @property
    def present(self) -> int:
        """How many cells are not missing."""
        return self.rows - sum(self.marks.values())

    @property
    def distinct(self) -> str:
        """How many texts it has, for messages."""
        return "many" if self.counts is None else f"{len(self.counts):,}"

    @property
    def all_different(self) -> bool:
        """Whether nearly every cell has a text that no other has."""
        return self.counts is not None and len(self.counts) >= ALL_DIFFERENT * self.present

    def _mixed(self) -> ValueError:
        bad = self.dates.bad if self.numbers.bad == "" else self.numbers.bad
        return ValueError(
            f"A column holds numbers, dates or categories; {self.shown} has over {COUNTED:,} "
            f"numbers or dates and the text {bad[:60]!r}. If that means missing, say so: "
            f'missing="{bad[:20]}". Else keep texts: columns="{self.name}:categorical".'
        )


def tallied(blocks: Any, tallies: Sequence[Tally]) -> int:
    """Counts all blocks of a table; how many rows there are."""
    rows = 0
    for block in blocks:
        for tally in tallies:
            tally.add(block[tally.name])
        rows += len(next(iter(block.values())).places)
    return rows
