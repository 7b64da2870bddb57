"""Makes columns of dates: listed if they are few, else a grid of days or seconds."""

from collections.abc import Iterable

import numpy as np

from amd_jax.data.reading.column_drafts import Draft
from amd_jax.data.reading.number_tallies import Spread
from amd_jax.facts import dates
from amd_jax.facts.column import Column


def date(draft: Draft) -> Column:
    """A column of dates. ValueError unless all cells are dates of one form."""
    form, spread = _form(draft)
    tally, marks = draft.tally, draft.marks(certain=False)
    what = "moments" if dates.in_seconds(form) else "days"
    if tally.counts is not None and len(tally.counts) + bool(marks) <= draft.max_classes:
        texts = [*tally.counts]
        order = np.argsort(dates.parse(texts, form)[0], kind="stable")
        values = tuple(texts[n] for n in order)
        why = f"{len(values)} distinct {what}"
        return draft.column(why, marks, kind="date", values=values, form=form)
    first, step, count = spread.grid
    ends = [dates.written(point, form) for point in (first, first + step * (count - 1))]
    why = f"{tally.distinct} distinct {what}, {' to '.join(ends)}"
    return draft.column(why, marks, kind="date", form=form, first=first, step=step, count=count)


def _form(draft: Draft) -> tuple[str, Spread]:
    """The form of all cells, and their ends. ValueError for none, or several to choose from."""
    tally, forms = draft.tally, draft.tally.dates.forms or {}
    if not forms:
        raise ValueError(
            f"A column of dates holds dates of one form; {tally.shown} has "
            f"{tally.dates.bad[:60] or next(iter(tally.counts or {''}))[:60]!r}. "
            f"Give the form: {tally.name}:date(%d/%m/%Y)."
        )
    form, spread = next(iter(forms.items()))
    if draft.choice and not one_order(forms):
        raise ValueError(
            f"A date has one meaning; {tally.shown} may be {' or '.join(forms)}. Say "
            f"{tally.name}:date({form})."
        )
    return form, spread


def one_order(forms: Iterable[str]) -> bool:
    """Whether forms mean the same dates: one form, or with and without leading zeros."""
    padded = {form.replace("-d", "d").replace("-m", "m").replace("-H", "H") for form in forms}
    return len(padded) == 1
