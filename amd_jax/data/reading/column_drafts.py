"""What the making of any column shares: marks of missing cells, fields, and the reason."""

import dataclasses
from collections.abc import Mapping, Set
from typing import Any

from amd_jax.data.reading.column_choices import Choice
from amd_jax.data.reading.tallies import Tally
from amd_jax.facts.column import WORDS, Column, fields_for


@dataclasses.dataclass(eq=False)
class Draft:
    """A column in the making."""

    tally: Tally
    choice: Choice | None  # None: its kind follows from the cells
    max_classes: int  # of a field
    words: Set[str]  # of WORDS, that stand for missing cells in columns of texts, too
    dtype: str  # of a data frame
    said: bool  # whether the user made the choice
    notes: list[str] = dataclasses.field(default_factory=list)  # for the reason

    def marks(self, certain: bool) -> dict[str, int]:
        """The marks that stand for missing cells, and how often: in texts only certain ones."""
        present = {mark: count for mark, count in self.tally.marks.items() if count}
        if not certain:
            return present
        kept = {m: n for m, n in present.items() if m not in WORDS or m in self.words}
        self.notes += [f"{word!r} is a category" for word in present if word not in kept]
        return kept

    def _missing(self, marks: Mapping[str, int]) -> str | None:
        """How a missing cell is written: in the way that most are."""
        if not marks:
            return None
        mark = max(marks, key=lambda text: marks[text])
        if len(marks) > 1:
            others = ", ".join(repr(text) for text in marks if text != mark)
            self.notes.append(f"{others} are written as {mark!r}")
        return mark

    def column(self, why: str, marks: Mapping[str, int], **fields: Any) -> Column:
        """The column of these fields, with those of its codes and its reason filled in."""
        missing = self._missing(marks)
        number = len(fields.get("values", ())) or fields.get("count", 0)
        size = number + (missing is not None)
        why = "one value: no bits" if size == 1 and number else why
        return Column(
            name=self.tally.name,
            missing=missing,
            marks=tuple(mark for mark in marks if mark != missing),
            missing_share=sum(marks.values()) / self.tally.rows,
            bases=fields_for(size, self.max_classes),
            reason="; ".join([*(["as said"] if self.said else []), why, *self.notes]),
            dtype=self.dtype,
            **fields,
        )
