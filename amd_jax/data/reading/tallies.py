"""What a table holds, column by column, counted in one pass over its blocks. Needs pyarrow.

Texts are counted one by one, up to a number. Beyond it a column of numbers, or of dates, is known
by its smallest and largest value, its decimals, and what all values are a multiple of.
"""

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Integer

from amd_jax.data.reading.table_blocks import Cells
from amd_jax.facts import dates, numerals
from amd_jax.facts.column import MISSING
from amd_jax.facts.numerals import COMMA

COUNTED = 1 << 17  # texts of a column of numbers or dates that are counted one by one
MOST_TEXTS = 1 << 20  # texts of any column
MOST_SIGNS = 1 << 27  # characters of all of them
TRIED = 100  # texts that all forms of dates are tried on
_DAY, _TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}:[0-9]{2}"
ISO = {
    "%Y-%m-%d": (f"^{_DAY}$", pa.date32()),
    "%Y-%m-%d %H:%M:%S": (f"^{_DAY} {_TIME}$", pa.timestamp("s")),
    "%Y-%m-%dT%H:%M:%S": (f"^{_DAY}T{_TIME}$", pa.timestamp("s")),
}
PLAIN = r"^-?[0-9]+(\.[0-9]+)?$"
WITH_COMMA = "^-?[0-9]+,[0-9]+$"
THOUSANDS = "^-?[1-9][0-9]{0,2},[0-9]{3}$"  # may also be a number with three decimals
ANY_NUMBER = f"^(?:{numerals.NUMBER})$".replace(r"\d", "[0-9]")


@dataclasses.dataclass
class Spread:
    """Ends of points, and the greatest step that they are all on: they come in any order."""

    low: float = math.inf
    high: float = -math.inf
    step: int = 0  # 0: all are one point

    def add(self, points: Float[np.ndarray, "N"]) -> None:
        """Adds whole numbers."""
        anchor = self.low if self.low < math.inf else float(points[0])
        self.low, self.high = min(self.low, points.min()), max(self.high, points.max())
        if max(abs(self.low), abs(self.high)) <= numerals.MOST and self.step != 1:
            apart = np.abs(points - anchor).astype(np.int64)
            self.step = math.gcd(self.step, int(np.gcd.reduce(apart)))

    def scaled(self, factor: int) -> None:
        """Counts in finer units from now on."""
        self.low, self.high, self.step = (
            self.low * factor,
            self.high * factor,
            self.step * factor,
        )


class Numbers:
    """A column as numbers, as long as all its cells are: `alive`."""

    def __init__(self) -> None:
        self.alive = True
        self.bad = ""  # the first cell that is no number
        self.seen = 0
        self.decimals, self.least_decimals = 0, 1 << 30
        self.low, self.high = math.inf, -math.inf
        self.spread = Spread()
        self.leading_zeros = self.other_forms = False  # 007; +5, .5, 1e3, -0
        self.comma = self.surely_comma = False  # 1,25; some that is not 1,250
        self.zeros_at_end = self.long_zeros_at_end = False  # 1.50; the same but for 1.0

    def add(self, texts: Any) -> None:
        """Adds texts, an Arrow array without missing marks."""
        if not len(texts) or not self.alive:
            return
        if self.comma or pc.any(pc.match_substring(texts, COMMA)).as_py():
            texts = self._with_points(texts)
        if not self.alive:
            return
        plain = pc.match_substring_regex(texts, PLAIN)
        if not pc.all(plain).as_py():
            odd = texts.filter(pc.invert(plain))
            numbers = pc.match_substring_regex(odd, ANY_NUMBER)
            if not pc.all(numbers).as_py():
                self.alive, self.bad = False, odd.filter(pc.invert(numbers))[0].as_py()
                return
            self.other_forms = True
            self._count_decimals(np.array([_decimals(t) for t in odd.to_pylist()]))
        values = pc.cast(texts, pa.float64()).to_numpy()
        if not np.isfinite(values).all():  # 1e999
            self.alive, self.bad = False, texts[int(np.argmin(np.isfinite(values)))].as_py()
            return
        self._forms(texts.filter(plain))
        self._spread(values)

    def _with_points(self, texts: Any) -> Any:
        """Numbers such as 1,25 as 1.25; they are none if they have points, too."""
        commas = pc.match_substring_regex(texts, WITH_COMMA)
        fits = pc.and_(
            pc.or_(commas, pc.invert(pc.match_substring(texts, COMMA))),
            pc.invert(pc.match_substring(texts, ".")),
        )
        if not pc.all(fits).as_py() or (self.decimals and not self.comma):
            self.alive = False
            self.bad = texts.filter(commas if pc.all(fits).as_py() else pc.invert(fits))[0].as_py()
            return texts
        self.comma = True
        thousands = pc.match_substring_regex(texts.filter(commas), THOUSANDS)
        self.surely_comma |= not pc.all(thousands).as_py()
        return pc.replace_substring(texts, COMMA, ".")

    def _count_decimals(self, decimals: Integer[np.ndarray, "N"]) -> None:
        before = self.decimals
        self.decimals = max(before, int(decimals.max()))
        self.least_decimals = min(self.least_decimals, int(decimals.min()))
        if before < self.decimals <= numerals.MOST_DECIMALS:
            self.spread.scaled(10 ** (self.decimals - before))

    def _forms(self, texts: Any) -> None:
        """Notes how plain numbers are written."""
        if not len(texts):
            return
        self.leading_zeros |= pc.any(pc.match_substring_regex(texts, "^-?0[0-9]")).as_py()
        self.other_forms |= pc.any(pc.match_substring_regex(texts, r"^-0+(\.0*)?$")).as_py()
        dots = pc.find_substring(texts, ".").to_numpy()
        lengths = pc.binary_length(texts).to_numpy()
        decimals = np.where(dots < 0, 0, lengths - dots - 1)
        self._count_decimals(decimals)
        zeros = pc.ends_with(texts, "0").to_numpy(zero_copy_only=False) & (decimals > 0)
        self.zeros_at_end |= bool(zeros.any())
        self.long_zeros_at_end |= bool((zeros & (decimals > 1)).any())

    def _spread(self, values: Float[np.ndarray, "N"]) -> None:
        self.seen += len(values)
        self.low, self.high = min(self.low, values.min()), max(self.high, values.max())
        if self.decimals <= numerals.MOST_DECIMALS:
            self.spread.add(numerals.points(values, self.decimals))

    @property
    def form(self) -> str | None:
        """One of `numerals.FORMS`; None if the cells are written in several."""
        if self.other_forms or self.leading_zeros:
            return None
        sign = COMMA if self.comma else ""
        if self.least_decimals == self.decimals:
            return sign
        if not self.zeros_at_end:
            return f"trimmed{sign}"
        pointed = self.least_decimals == 1 and not self.long_zeros_at_end
        return f"point{sign}" if pointed else None


def _decimals(text: str) -> int:
    """How many decimals a number has, as in 2.5e-3: 4."""
    exponent = Decimal(text).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


class Dates:
    """A column as dates, as long as all its cells are of one form: `forms` holds those left."""

    def __init__(self, form: str = "") -> None:
        self.forms: dict[str, Spread] | None = {form: Spread()} if form else None
        self.bad = ""

    @property
    def alive(self) -> bool:
        """Whether all cells so far are dates."""
        return self.forms is None or bool(self.forms)

    def add(self, texts: Any) -> None:
        """Adds texts, an Arrow array without missing marks."""
        if not len(texts) or not self.alive:
            return
        if self.forms is None:
            likely, tried = dates.likely(texts[0].as_py()), texts[:TRIED]
            self.forms = {form: Spread() for form in likely if moments(tried, form)[1].all()}
        for form, spread in [*self.forms.items()]:
            points, fits = moments(texts, form)
            if fits.all():
                spread.add(points.astype(np.float64))
            else:
                self.bad = texts[int(np.argmin(fits))].as_py()
                del self.forms[form]


def moments(texts: Any, form: str) -> tuple[Integer[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """The same as `dates.parse`, of an Arrow array: at once where Arrow knows the form."""
    if form in ISO and pc.all(pc.match_substring_regex(texts, ISO[form][0])).as_py():
        kind = ISO[form][1]
        with contextlib.suppress(pa.ArrowInvalid):  # such as the 30th of February
            points = texts.cast(kind).cast(pa.int64() if kind.bit_width == 64 else pa.int32())
            return points.to_numpy().astype(np.int64), np.ones(len(texts), bool)
    return dates.parse(texts.to_pylist(), form)


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
        absent = pc.is_in(used, self._marks)
        for text, count in zip(
            used.filter(absent).to_pylist(), number[absent.to_numpy(False)], strict=True
        ):
            self.marks[text] += int(count)
        present = used.filter(pc.invert(absent))
        number = number[~absent.to_numpy(zero_copy_only=False)]
        self.numbers.add(present)
        self.dates.add(present)
        if self.counts is not None:
            self._count(present.to_pylist(), number)
        if self.counts is None and not (self.numbers.alive or self.dates.alive):
            raise self._mixed()

    def _count(self, texts: Sequence[str], number: Integer[np.ndarray, "K"]) -> None:
        if self.counts is None:
            return
        counts = self.counts
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


def first(texts: Sequence[str], number: int = 3) -> str:
    """Some texts in a message."""
    return ", ".join(repr(text[:40]) for text in itertools.islice(texts, number))
