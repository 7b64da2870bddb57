"""Decides the kind of every column from what it holds, and says why. Needs pyarrow."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from amd_jax.data.reading.column_choices import Choice
from amd_jax.data.reading.files import printable
from amd_jax.data.reading.tallies import COUNTED, Numbers, Spread, Tally
from amd_jax.facts import dates, numerals
from amd_jax.facts.column import WORDS, Column, fields_for

GRID = 10**9  # points that a column of numbers may have before it is rounded
ROUNDED = 10**6  # points that it is rounded to
ALL_DIFFERENT = 0.95  # of the cells of a column of texts: from here on each is one's own
MIXED = 0.9  # share of numbers from which on a column of many numbers has texts by mistake
MANY = 1 << 53  # of digits that float64 holds


def columns(
    tallies: Sequence[Tally],
    choices: Mapping[str, Choice],
    max_classes: int,
    orders: Mapping[str, tuple[str, ...]] | None = None,
    dtypes: Mapping[str, str] | None = None,
    marks: Sequence[str] = (),
) -> list[Column]:
    """The schema of a table: a column for each tally.

    Raises:
        ValueError: for columns of texts that are all different, mixed ones, and choices that the
            cells do not fit.
    """
    orders, dtypes = orders or {}, dtypes or {}
    words = {*marks} | {  # NA is a missing cell where numbers have it, too
        word
        for tally in tallies
        if tally.numbers.alive and tally.numbers.seen
        for word in WORDS
        if tally.marks.get(word)
    }
    result, different = [], []
    for tally in tallies:
        choice = choices.get(tally.name)
        said = choice is not None
        if choice is None and tally.name in orders:
            choice = Choice("ordinal", orders[tally.name])
        if choice is None:
            _check_mixed(tally, max_classes)
        if choice is None and _all_different(tally, max_classes):
            different.append(tally)
            continue
        decided = Decision(tally, choice, max_classes, words, dtypes.get(tally.name, ""), said)
        result.append(decided.column())
    if different:
        raise _nothing_to_learn(different)
    return result


def _all_different(tally: Tally, max_classes: int) -> bool:
    """Whether nearly every cell of a column of texts occurs once."""
    if tally.counts is None or _is_number(tally) or tally.dates.alive:
        return False
    number = len(tally.counts)
    return number > max_classes and number >= ALL_DIFFERENT * tally.present


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
    short = numbers.decimals > 0 or not _is_long(numbers)
    return numbers.alive and numbers.seen > 0 and not numbers.leading_zeros and sure and short


def _is_long(numbers: Numbers) -> bool:
    """Whether some have so many digits that float64 takes two of them for one."""
    return max(abs(numbers.low), abs(numbers.high)) > numerals.MOST


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


class Decision:
    """One column: what it becomes."""

    def __init__(
        self,
        tally: Tally,
        choice: Choice | None,
        max_classes: int,
        words: Iterable[str],
        dtype: str = "",
        said: bool = True,
    ):
        self.tally, self.choice, self.max_classes = tally, choice, max_classes
        self.words, self.dtype, self.said = set(words), dtype, said
        self.notes: list[str] = []

    def column(self) -> Column:
        """The column."""
        kind = self.choice.kind if self.choice else self._kind()
        make: Mapping[str, Callable[[], Column]] = {
            "categorical": self._categories,
            "ordinal": self._ordinal,
            "integer": self._numeric,
            "real": self._numeric,
            "date": self._dates,
        }
        return make[kind]()

    def _kind(self) -> str:
        """What the cells are."""
        tally = self.tally
        if _is_number(tally):
            return "integer" if not tally.numbers.decimals else "real"
        if tally.dates.alive and tally.dates.forms:
            if len(tally.dates.forms) == 1 or _one_order(tally.dates.forms):
                return "date"
            form = next(iter(tally.dates.forms))
            self._check_counted(f"may be {' or '.join(tally.dates.forms)}", f"date({form})")
            self.notes.append(f"days before months or after? say {tally.name}:date({form})")
        if tally.numbers.comma and not tally.numbers.surely_comma and tally.numbers.alive:
            self._check_counted("has thousands or decimals after a comma", "real")
            self.notes.append(f"thousands or decimals after the comma? say {tally.name}:real")
        if tally.numbers.alive and tally.numbers.seen and _is_long(tally.numbers):
            self._check_counted("has integers of over 15 digits", "integer")
            self.notes.append("over 15 digits: names, not quantities")
        if tally.numbers.alive and tally.numbers.leading_zeros:
            self._check_counted("has numbers with leading zeros", "categorical")
            self.notes.append("leading zeros: codes, not quantities")
        mixture = _mixture(tally)
        if mixture and mixture.share >= 1 / 2:
            self.notes.append(f"numbers mixed with texts such as {printable(mixture.text, 30)!r}")
        return "categorical"

    def _check_counted(self, what: str, choice: str) -> None:
        """Raise ValueError for a column whose texts were too many to count, to be chosen."""
        if self.tally.counts is None:
            raise ValueError(
                f"A column of over {COUNTED:,} different numbers or dates is one of them for "
                f"sure; {self.tally.shown} {what}. Say what it is, such as "
                f'columns="{self.tally.name}:{choice}".'
            )

    def _marks(self, certain: bool) -> dict[str, int]:
        """The marks that stand for missing cells, and how often: in texts only certain ones."""
        present = {mark: count for mark, count in self.tally.marks.items() if count}
        if certain:
            kept = {m: n for m, n in present.items() if m not in WORDS or m in self.words}
            for word in present.keys() - kept.keys():
                self.notes.append(f"{word!r} is a category")
            return kept
        return present

    def _missing(self, marks: Mapping[str, int]) -> str | None:
        """How a missing cell is written: in the way that most are."""
        if not marks:
            return None
        mark = max(marks, key=lambda text: marks[text])
        if len(marks) > 1:
            others = ", ".join(repr(text) for text in marks if text != mark)
            self.notes.append(f"{others} are written as {mark!r}")
        return mark

    def _built(self, why: str, marks: Mapping[str, int], **fields: object) -> Column:
        """A column with its fields and its reason."""
        missing = self._missing(marks)
        number = len(fields.get("values", ())) or fields.get("count", 0)  # type: ignore[arg-type]
        size = number + (missing is not None)  # type: ignore[operator]
        why = "one value: no bits" if size == 1 and number else why
        reason = "; ".join([*(["as said"] if self.choice and self.said else []), why, *self.notes])
        return Column(
            name=self.tally.name,
            missing=missing,
            marks=tuple(mark for mark in marks if mark != missing),
            missing_share=sum(marks.values()) / self.tally.rows,
            bases=fields_for(size, self.max_classes),
            reason=reason,
            dtype=self.dtype,
            **fields,  # type: ignore[arg-type]
        )

    def _categories(self) -> Column:
        marks = self._marks(certain=True)
        counts = dict(self.tally.counts or {})
        counts |= {m: n for m, n in self.tally.marks.items() if n and m not in marks}
        values = tuple(sorted(counts, key=lambda text: (-counts[text], text)))
        why = f"{len(values):,} texts" if values else "only missing cells: no bits"
        if len(values) > self.max_classes:
            once = sum(count == 1 for count in counts.values())
            why += f", {once:,} of them once" if once else ""
        return self._built(why, marks, kind="categorical", values=values)

    def _ordinal(self) -> Column:
        assert self.choice is not None
        marks = self._marks(certain=True)
        known = {*(self.tally.counts or {})}
        known |= {m for m, n in self.tally.marks.items() if n and m not in marks}
        for text in sorted(known - {*self.choice.values}):
            raise ValueError(
                f"An ordinal column has the values that are listed; {self.tally.shown} has "
                f"{text[:60]!r}, too. Put it where it belongs: "
                f"{self.tally.name}:ordinal({'<'.join(self.choice.values)[:200]}<...)."
            )
        return self._built("in its order", marks, kind="ordinal", values=self.choice.values)

    def _numeric(self) -> Column:
        numbers, name = self.tally.numbers, self.tally.name
        if not numbers.alive or not numbers.seen:
            raise ValueError(
                f"A column of numbers holds numbers; {self.tally.shown} has "
                f"{numbers.bad[:60] or 'none'!r}. Use {name}:categorical, or say that it means "
                f'missing: missing="{numbers.bad[:20]}".'
            )
        wanted = self.choice.decimals if self.choice else None
        if self.choice and self.choice.kind == "integer" and numbers.decimals:
            wanted = 0
        kind = self.choice.kind if self.choice else "real" if numbers.decimals else "integer"
        if self.choice is None and self._is_too_fine():
            self.notes.append("more digits than float64 holds")
            return self._categories()
        listed = None if wanted is not None else self._listed()
        if listed is not None:
            return self._built(
                f"{len(listed)} distinct {self._called()}",
                self._marks(certain=False),
                kind=kind,
                values=listed,
                form=self._written,
            )
        grid = _rounded(numbers, wanted) if self._inexact(wanted) else _grid(numbers)
        form = self._written if numbers.form is not None and not grid.rounded else ""
        if numbers.comma and not form:
            form = numerals.COMMA
        grid = dataclasses.replace(grid, form=form)
        return self._gridded(kind, grid)

    @property
    def _written(self) -> str:
        """The form of the numbers; "" or with a comma if they have several."""
        numbers = self.tally.numbers
        return numbers.form or (numerals.COMMA if numbers.comma else "")

    def _called(self) -> str:
        return "reals" if self.tally.numbers.decimals else "integers"

    def _inexact(self, wanted: int | None) -> bool:
        numbers = self.tally.numbers
        if wanted is not None and wanted < numbers.decimals:
            return True
        if numbers.decimals > numerals.MOST_DECIMALS:
            return True
        spread = numbers.spread
        if max(abs(spread.low), abs(spread.high)) > numerals.MOST:
            return True
        return (spread.high - spread.low) // max(spread.step, 1) >= GRID

    def _listed(self) -> tuple[str, ...] | None:
        """The numbers as texts, ascending, if they are few; each as it is most often written."""
        counts = self.tally.counts
        if counts is None or len(counts) > 4 * self.max_classes:
            return None
        numbers = dict(zip(counts, numerals.parse([*counts], self._written), strict=True))
        texts = sorted(counts, key=lambda text: numbers[text])
        values = [float(numbers[text]) for text in texts]
        distinct = len(set(values))
        if distinct + bool(self._marks(certain=False)) > self.max_classes:
            return None
        if distinct == len(texts):
            return tuple(texts)
        self.notes.append("written in several ways, each number in its commonest from now on")
        best: dict[float, str] = {}
        for text, value in zip(texts, values, strict=True):
            if value not in best or counts[text] > counts[best[value]]:
                best[value] = text
        return tuple(best.values())

    def _is_too_fine(self) -> bool:
        """Whether float64 takes two of few numbers for one."""
        counts = self.tally.counts or {}
        if not counts or len(counts) > 4 * self.max_classes or self.tally.numbers.comma:
            return False
        return len({*map(Decimal, counts)}) > len({*map(float, counts)})

    def _gridded(self, kind: str, grid: Column) -> Column:
        numbers, counts = self.tally.numbers, self.tally.counts
        number = f"{len(counts):,}" if counts is not None else "many"
        low, high = grid.text(0), grid.text(grid.count - 1)
        why = f"{number} distinct {self._called()}, {low} to {high}"
        if grid.rounded:
            step = numerals.written(grid.step, grid.decimals, "trimmed")
            why += f", rounded to {step}"
        elif grid.step > 1:
            why += f" in steps of {numerals.written(grid.step, grid.decimals, 'trimmed')}"
        if numbers.form is None and not grid.rounded:
            self.notes.append(f"written in several ways, from now on as {low}")
        if counts is not None and len(counts) >= ALL_DIFFERENT * self.tally.present > 1000:
            if kind == "integer" and numbers.spread.high - numbers.spread.low < 2 * len(counts):
                self.notes.append(f"a row number? {self.tally.name}:drop leaves it out")
        fields = {n: getattr(grid, n) for n in ("first", "count", "step", "decimals", "form")}
        marks = self._marks(certain=False)
        return self._built(why, marks, kind=kind, rounded=grid.rounded, **fields)

    def _dates(self) -> Column:
        forms = self.tally.dates.forms or {}
        if not forms:
            raise ValueError(
                f"A column of dates holds dates of one form; {self.tally.shown} has "
                f"{self.tally.dates.bad[:60] or next(iter(self.tally.counts or {''}))[:60]!r}. "
                f"Give the form: {self.tally.name}:date(%d/%m/%Y)."
            )
        form = next(iter(forms))
        if self.choice and len(forms) > 1 and not _one_order(forms):
            raise ValueError(
                f"A date has one meaning; {self.tally.shown} may be {' or '.join(forms)}. Say "
                f"{self.tally.name}:date({form})."
            )
        counts, spread, marks = self.tally.counts, forms[form], self._marks(certain=False)
        what = "moments" if dates.in_seconds(form) else "days"
        if counts is not None and len(counts) + bool(marks) <= self.max_classes:
            texts = [*counts]
            order = np.argsort(dates.parse(texts, form)[0], kind="stable")
            values = tuple(texts[n] for n in order)
            why = f"{len(values)} distinct {what}"
            return self._built(why, marks, kind="date", values=values, form=form)
        first, step = int(spread.low), max(spread.step, 1)
        count = int(spread.high - spread.low) // step + 1
        number = f"{len(counts):,}" if counts is not None else "many"
        ends = f"{dates.written(first, form)} to {dates.written(int(spread.high), form)}"
        why = f"{number} distinct {what}, {ends}"
        return self._built(why, marks, kind="date", form=form, first=first, step=step, count=count)


def _one_order(forms: Mapping[str, Spread]) -> bool:
    """Whether some forms mean the same dates: with and without leading zeros."""
    padded = {form.replace("-d", "d").replace("-m", "m").replace("-H", "H") for form in forms}
    return len(padded) == 1


def _grid(numbers: Numbers) -> Column:
    """The grid on which all numbers are, exactly."""
    spread = numbers.spread
    step = max(spread.step, 1)
    return Column(
        "",
        "real",
        first=int(spread.low),
        step=step,
        count=int(spread.high - spread.low) // step + 1,
        decimals=numbers.decimals,
    )


def _rounded(numbers: Numbers, decimals: int | None) -> Column:
    """A grid of at most `ROUNDED` points or of some decimals, which the numbers are rounded to."""
    low, high = numbers.low, numbers.high
    if decimals is None:
        power = math.ceil(math.log10(max(high - low, 1e-300) / ROUNDED))
        largest = math.ceil(math.log10(max(abs(low), abs(high), 1e-300))) - 15
        power = max(power, largest)
        decimals = -power
    first, last = map(int, numerals.points(np.array([low, high]), decimals))
    return Column("", "real", first=first, count=last - first + 1, decimals=decimals, rounded=True)
