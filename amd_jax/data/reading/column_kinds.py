"""Decides the kind of every column from what it holds, and says why. Needs pyarrow."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from amd_jax.data.reading import date_columns, number_columns, text_columns
from amd_jax.data.reading.column_choices import Choice
from amd_jax.data.reading.column_drafts import Draft
from amd_jax.data.reading.files import printable
from amd_jax.data.reading.tallies import COUNTED, Tally
from amd_jax.facts import numerals
from amd_jax.facts.column import WORDS, Column

MIXED = 0.9  # share of numbers from which on a column of many numbers has texts by mistake
MAKE: Mapping[str, Callable[[Draft], Column]] = {  # kind -> what makes such a column
    "categorical": text_columns.categorical,
    "ordinal": text_columns.ordinal,
    "integer": number_columns.number,
    "real": number_columns.number,
    "date": date_columns.date,
}


def columns(
    tallies: Sequence[Tally],
    choices: Mapping[str, Choice],
    max_classes: int,
    orders: Mapping[str, tuple[str, ...]] | None = None,
    dtypes: Mapping[str, str] | None = None,
    marks: Sequence[str] = (),
    kinds: Sequence[Column] = (),
) -> list[Column]:
    """The schema of a table: a column for each tally, of the kinds of `kinds` if they are given.

    Raises:
        ValueError: for columns of texts that are all different, mixed ones, and choices that the
            cells do not fit.
    """
    orders, dtypes = orders or {}, dtypes or {}
    words = {*marks} | {  # NA is a missing cell where numbers have it, too
        word for tally in tallies if tally.numbers.fits for word in WORDS if tally.marks.get(word)
    }
    known = {column.name: column for column in kinds}
    result, different = [], []
    for tally in tallies:
        choice = choices.get(tally.name)
        said = choice is not None
        if choice is None and tally.name in orders:
            choice = Choice("ordinal", orders[tally.name])
        if choice is None and tally.name in known:
            choice = Choice(known[tally.name].kind, form=known[tally.name].form)
        if choice is None:
            _check_mixed(tally, max_classes)
        if choice is None and _all_different(tally, max_classes):
            different.append(tally)
            continue
        draft = Draft(tally, choice, max_classes, words, dtypes.get(tally.name, ""), said)
        result.append(MAKE[choice.kind if choice else _kind(draft)](draft))
    if different:
        raise _nothing_to_learn(different)
    return result


def _all_different(tally: Tally, max_classes: int) -> bool:
    """Whether nearly every cell of a column of texts occurs once."""
    if tally.counts is None or _is_number(tally) or tally.dates.alive:
        return False
    return len(tally.counts) > max_classes and tally.all_different


class Mixture(NamedTuple):
    """Numbers and texts in one column."""

    numbers: int  # different ones
    texts: int
    share: float  # of the cells that are numbers
    text: str  # the first one


def _mixture(tally: Tally) -> Mixture | None:
    """What a column of numbers and texts holds; None for one of either alone."""
    counts = tally.counts or {}
    texts = [*counts]
    numbers = ~np.isnan(numerals.parse(texts))
    if tally.numbers.alive or numbers.all() or not numbers.any():
        return None
    cells = np.array([*counts.values()])[numbers].sum()
    number, first = int(numbers.sum()), texts[int(np.argmin(numbers))]
    return Mixture(number, len(texts) - number, cells / tally.present, first)


def _check_mixed(tally: Tally, max_classes: int) -> None:
    """Raise ValueError for too many numbers for categories, with few texts between them."""
    mixture = _mixture(tally)
    if mixture and mixture.numbers > max_classes and mixture.share >= MIXED:
        text = printable(mixture.text, 60)
        raise ValueError(
            f"A column holds numbers, dates or categories; {tally.shown} has "
            f"{mixture.numbers:,} different numbers and {mixture.texts:,} texts, such as "
            f'{text!r}. If that means missing, say so: missing="{text[:20]}". Else keep texts: '
            f'columns="{tally.name}:categorical".'
        )


def _is_number(tally: Tally) -> bool:
    numbers = tally.numbers
    sure = numbers.surely_comma or not numbers.comma
    short = numbers.decimals > 0 or not numbers.is_long
    return numbers.fits and not numbers.leading_zeros and sure and short


def _nothing_to_learn(tallies: Sequence[Tally]) -> ValueError:
    shown = [
        f"{printable(t.name, 40)} ({len(t.counts or ()):,} texts in {t.present:,} cells)"
        for t in tallies
    ]
    leave = ",".join(f"{t.name}:drop" for t in tallies)
    return ValueError(
        f"Texts that are all different teach a model nothing; so are those of {', '.join(shown)}. "
        f'Leave them out: columns="{leave}". To keep one all the same, say '
        f"{tallies[0].name}:categorical."
    )


def _kind(draft: Draft) -> str:
    """What the cells are; notes for a reason why they are texts."""
    tally, numbers, forms = draft.tally, draft.tally.numbers, draft.tally.dates.forms
    if _is_number(tally):
        return "integer" if not numbers.decimals else "real"
    if forms:
        if date_columns.one_order(forms):
            return "date"
        form = next(iter(forms))
        _check_counted(tally, f"may be {' or '.join(forms)}", f"date({form})")
        draft.notes.append(f"days before months or after? say {tally.name}:date({form})")
    if numbers.comma and not numbers.surely_comma and numbers.alive:
        _check_counted(tally, "has thousands or decimals after a comma", "real")
        draft.notes.append(f"thousands or decimals after the comma? say {tally.name}:real")
    if numbers.fits and numbers.is_long:
        _check_counted(tally, "has integers of over 15 digits", "integer")
        draft.notes.append("over 15 digits: names, not quantities")
    if numbers.alive and numbers.leading_zeros:
        _check_counted(tally, "has numbers with leading zeros", "categorical")
        draft.notes.append("leading zeros: codes, not quantities")
    mixture = _mixture(tally)
    if mixture and mixture.share >= 1 / 2:
        draft.notes.append(f"numbers mixed with texts such as {printable(mixture.text, 30)!r}")
    return "categorical"


def _check_counted(tally: Tally, what: str, choice: str) -> None:
    """Raise ValueError for a column whose texts were too many to count, to be chosen."""
    if tally.counts is None:
        raise ValueError(
            f"A column of over {COUNTED:,} different numbers or dates is one of them for "
            f"sure; {tally.shown} {what}. Say what it is, such as "
            f'columns="{tally.name}:{choice}".'
        )
