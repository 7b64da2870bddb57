"""Makes columns of numbers: listed if they are few, else a grid, to which they may be rounded."""

import dataclasses
import math
import sys
from decimal import Decimal

import numpy as np

from amd_jax.data.reading import text_columns
from amd_jax.data.reading.column_drafts import Draft
from amd_jax.data.reading.number_tallies import Numbers
from amd_jax.data.reading.tallies import ALL_DIFFERENT, Tally
from amd_jax.facts import numerals
from amd_jax.facts.column import MOST_CODES, MOST_POWER, Column

GRID = 10**9  # points that a column of numbers may have before it is rounded
ROUNDED = 10**6  # points that it is rounded to
ROW_NUMBERS = 1000  # integers that may be the numbers of rows, if they are more


def number(draft: Draft) -> Column:
    """A column of numbers. ValueError unless all cells are numbers."""
    numbers, choice, name = draft.tally.numbers, draft.choice, draft.tally.name
    if not numbers.fits:
        raise ValueError(
            f"A column of numbers holds numbers; {draft.tally.shown} has "
            f"{numbers.bad[:60] or 'none'!r}. Use {name}:categorical, or say that it means "
            f'missing: missing="{numbers.bad[:20]}".'
        )
    if choice is None and _is_too_fine(draft):
        draft.notes.append("more digits than float64 holds")
        return text_columns.categorical(draft)
    kind = choice.kind if choice else "real" if numbers.decimals else "integer"
    decimals = choice.decimals if choice else None
    if choice and kind == "integer" and numbers.decimals:
        decimals = 0
    values = None if decimals is not None else _listed(draft)
    if values is not None:
        why, form = f"{len(values)} distinct {_called(numbers)}", _form(numbers)
        return draft.column(why, draft.marks(certain=False), kind=kind, values=values, form=form)
    return _gridded(draft, kind, decimals)


def _is_too_fine(draft: Draft) -> bool:
    """Whether float64 takes two of few numbers for one."""
    counts = draft.tally.counts or {}
    if not counts or len(counts) > 4 * draft.max_classes or draft.tally.numbers.comma:
        return False
    return len({*map(Decimal, counts)}) > len({*map(float, counts)})


def _called(numbers: Numbers) -> str:
    return "reals" if numbers.decimals else "integers"


def _form(numbers: Numbers) -> str:
    """The form of the numbers; "" or with a comma if they have several."""
    return numbers.form or (numerals.COMMA if numbers.comma else "")


def _listed(draft: Draft) -> tuple[str, ...] | None:
    """The numbers as texts, ascending, if they are few; each as it is most often written."""
    counts = draft.tally.counts
    if counts is None or len(counts) > 4 * draft.max_classes:
        return None
    parsed = numerals.parse([*counts], _form(draft.tally.numbers)).tolist()
    numbers = dict(zip(counts, parsed, strict=True))
    distinct = len({*parsed})
    if distinct + bool(draft.marks(certain=False)) > draft.max_classes:
        return None
    if distinct < len(numbers):
        draft.notes.append("written in several ways, each number in its commonest from now on")
    best: dict[float, str] = {}
    for text in sorted(counts, key=lambda text: numbers[text]):
        value = numbers[text]
        if value not in best or counts[text] > counts[best[value]]:
            best[value] = text
    return tuple(best.values())


@dataclasses.dataclass(frozen=True)
class Grid:
    """Numbers at equal distances, in units of 10 ** -decimals."""

    first: int
    step: int
    count: int
    decimals: int


def _gridded(draft: Draft, kind: str, decimals: int | None) -> Column:
    """A column of many numbers, or of some decimals."""
    tally, numbers, marks = draft.tally, draft.tally.numbers, draft.marks(certain=False)
    rounded = _inexact(numbers, decimals)
    grid = _rounded(tally, decimals) if rounded else Grid(*numbers.spread.grid, numbers.decimals)
    form = _form(numbers)
    if rounded:
        form = numerals.COMMA if numbers.comma else ""
    points = grid.first, grid.first + grid.step * (grid.count - 1)
    low, high = (numerals.written(point, grid.decimals, form) for point in points)
    why = f"{tally.distinct} distinct {_called(numbers)}, {low} to {high}"
    step = numerals.written(grid.step, grid.decimals, "trimmed")
    if rounded:
        why += f", rounded to {step}"
    elif grid.step > 1:
        why += f" in steps of {step}"
    if numbers.form is None and not rounded:
        draft.notes.append(f"written in several ways, from now on as {low}")
    if kind == "integer" and _is_row_number(draft):
        draft.notes.append(f"a row number? {tally.name}:drop leaves it out")
    return draft.column(
        why, marks, kind=kind, rounded=rounded, form=form, **dataclasses.asdict(grid)
    )


def _is_row_number(draft: Draft) -> bool:
    """Whether nearly all integers differ and lie close together."""
    tally, spread = draft.tally, draft.tally.numbers.spread
    if tally.counts is None or not tally.all_different:
        return False
    many = ALL_DIFFERENT * tally.present > ROW_NUMBERS
    return many and spread.high - spread.low < 2 * len(tally.counts)


def _inexact(numbers: Numbers, decimals: int | None) -> bool:
    """Whether numbers have to be rounded: to some decimals, or since their grid is too large."""
    if decimals is not None and decimals < numbers.decimals:
        return True
    if numbers.decimals > numerals.MOST_DECIMALS:
        return True
    spread = numbers.spread
    if max(abs(spread.low), abs(spread.high)) > numerals.MOST:
        return True
    return spread.grid[2] > GRID


def _rounded(tally: Tally, decimals: int | None) -> Grid:
    """A grid of at most `ROUNDED` points or of some decimals, which the numbers are rounded to.

    Raises:
        ValueError: for numbers that no such grid holds.
    """
    low, high = float(tally.numbers.low), float(tally.numbers.high)
    if decimals is None:
        width = min(max(high - low, 1e-300), sys.float_info.max)
        power = math.ceil(math.log10(width / ROUNDED))
        largest = math.ceil(math.log10(max(abs(low), abs(high), 1e-300))) - 15
        decimals = -max(power, largest)
    ends = numerals.points(np.array([low, high]), decimals)
    fits = np.abs(ends).max() <= numerals.MOST and ends[1] - ends[0] < MOST_CODES
    if not fits or abs(decimals) > MOST_POWER:
        raise ValueError(
            f"Numbers are rounded to {MOST_CODES:,} points at most, from 1e-{MOST_POWER} to "
            f"1e{MOST_POWER}; {tally.shown} goes from {low:g} to {high:g}, which are more. Use "
            f'another unit or fewer decimals, or leave it out: columns="{tally.name[:60]}:drop".'
        )
    first, last = map(int, ends)
    return Grid(first, 1, last - first + 1, decimals)
