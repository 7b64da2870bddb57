"""Makes columns of texts: categories by their frequency, and ordinal values in their order."""

from collections.abc import Mapping

from amd_jax.data.reading.column_drafts import Draft
from amd_jax.facts.column import Column


def categorical(draft: Draft) -> Column:
    """A column of categories, the commonest first."""
    marks = draft.marks(certain=True)
    counts = _counts(draft, marks)
    values = tuple(sorted(counts, key=lambda text: (-counts[text], text)))
    why = f"{len(values):,} texts" if values else "only missing cells: no bits"
    if len(values) > draft.max_classes:
        once = sum(count == 1 for count in counts.values())
        why += f", {once:,} of them once" if once else ""
    return draft.column(why, marks, kind="categorical", values=values)


def ordinal(draft: Draft) -> Column:
    """A column of the values that the choice lists. ValueError for a cell with another one."""
    assert draft.choice is not None
    marks, values = draft.marks(certain=True), draft.choice.values
    if unknown := _counts(draft, marks).keys() - {*values}:
        raise ValueError(
            f"An ordinal column has the values that are listed; {draft.tally.shown} has "
            f"{min(unknown)[:60]!r}, too. Put it where it belongs: "
            f"{draft.tally.name}:ordinal({'<'.join(values)[:200]}<...)."
        )
    return draft.column("in its order", marks, kind="ordinal", values=values)


def _counts(draft: Draft, marks: Mapping[str, int]) -> dict[str, int]:
    """How often each text occurs, words included that are no marks."""
    words = {m: n for m, n in draft.tally.marks.items() if n and m not in marks}
    return (draft.tally.counts or {}) | words
