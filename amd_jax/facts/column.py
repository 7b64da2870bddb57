"""One column of a table: the codes of its values, and the texts they come from and return to."""

import dataclasses
import functools
import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Integer

from amd_jax.facts import dates, numerals
from amd_jax.facts.formulas import unescaped
from amd_jax.host.printable import in_one_line

KINDS = ("categorical", "ordinal", "integer", "real", "date")
MAX_CLASSES = 128  # codes of one field, unless another number is given
MOST_CODES = 10**12  # of a column
MOST_POWER = 300  # of ten, that points of a grid are counted in
WORDS = ("NA", "None", "none", "null", "NULL", "Null", "nil")  # missing cells, or a category
MISSING = (  # how tables write a missing cell
    *("", "?", "NaN", "nan", "NAN", "<NA>", "#N/A", "N/A", "n/a", "NaT"),
    *WORDS,
)
SHOWN = 10  # values, in a message
DTYPES = re.compile(  # of a data frame of pandas, as it writes them
    r"(object|str|string|category|bool|boolean|[uU]?[iI]nt(8|16|32|64)|[fF]loat(16|32|64)"
    r"|(datetime64|timedelta64|period|interval|Sparse)\[[\w\[\], :/+.-]+\]"
    r"|\w+(\[[\w, :/+-]+\]|\([\d, ]+\))?\[pyarrow\])(\[\w+\])?"
)

Codes = Integer[np.ndarray, "N"]


def fields_for(size: int, max_classes: int = MAX_CLASSES) -> tuple[int, ...]:
    """Sizes of the fields that hold `size` codes: digits of a mixed radix, the top one first.

    Up to `max_classes` codes are one field; more are as few fields of nearly one size as hold
    them. One code alone needs no field: fields_for(1) is ().
    """
    if size <= 1:
        return ()
    number = 1
    while max_classes**number < size:
        number += 1
    base = math.ceil(round(size ** (1 / number), 9))
    while base**number < size:
        base += 1
    top = -(-size // base ** (number - 1))
    return (top, *[base] * (number - 1))


@dataclasses.dataclass(frozen=True)
class Column:
    """A column with codes 0, ..., size - 1: its values, and one more if a cell is missing.

    The values are listed, or they are a grid of numbers or of dates: `count` of them, `step`
    apart from `first` on. Several texts may be read as one value (1.5 and 1.50), one is written.
    """

    name: str
    kind: str  # of KINDS
    values: tuple[
        str, ...
    ] = ()  # ascending; those of a category by falling frequency; () of a grid
    first: int = 0  # of a grid, in units of 10 ** -decimals; dates: days or seconds since 1970
    count: int = 0  # of a grid: how many values
    step: int = 1  # of a grid, in the same units
    decimals: int = 0
    form: str = ""  # of dates as in `dates`, "%Y-%m-%d"; of numbers one of `numerals.FORMS`
    missing: str | None = None  # how a missing cell is written; None: no cell is missing
    marks: tuple[str, ...] = ()  # further texts that are read as missing
    missing_share: float = 0.0  # of the cells that it was made from
    bases: tuple[int, ...] = ()  # sizes of its fields, the most significant first; () for one code
    rounded: bool = False  # whether numbers between the points of the grid are rounded to it
    dtype: str = ""  # of the data frame it came from; "": by kind
    reason: str = ""  # why it has this kind, in a few words

    def __post_init__(self):
        """Fills in the fields. Raises ValueError for numbers that cannot be."""
        if self.kind not in KINDS:
            raise ValueError(f"A column is {', '.join(KINDS)}; {self.shown} is {self.kind!r:.40}.")
        if self.kind == "date":
            dates.check(self.form)
        elif self.form not in numerals.FORMS:
            raise ValueError(
                f"Numbers are written in the form {numerals.FORMS}; {self.shown} has "
                f"{self.form!r:.40}."
            )
        if self.dtype and not DTYPES.fullmatch(self.dtype):
            raise ValueError(
                f"The dtype of a column is one of pandas; {self.shown} has {self.dtype!r:.40}. "
                "Leave it empty."
            )
        self._check_codes()
        if not self.bases:
            object.__setattr__(self, "bases", fields_for(self.size))
        self._check_fields()

    def _check_codes(self) -> None:
        grid = not self.values
        if grid and (self.kind in ("categorical", "ordinal") and self.count or self.count < 0):
            raise ValueError(f"Only numbers and dates are a grid; {self.shown} is one.")
        last = self.first + self.step * (self.count - 1) if grid else 0
        if self.step < 1 or abs(self.decimals) > MOST_POWER or self.count > MOST_CODES:
            raise ValueError(f"The grid of {self.shown} cannot be: {self.count} points.")
        if max(abs(self.first), abs(last)) > numerals.MOST:
            raise ValueError(f"Points are at most {numerals.MOST}; {self.shown} has more.")
        if len(set(self.values)) < len(self.values) or self.missing in self.values:
            raise ValueError(f"The values of a column differ; {self.shown} has one twice.")
        if not self.size:
            raise ValueError(f"A column has one value or more; {self.shown} has none.")
        if self.kind == "date" and grid:
            self._check_years(last)
        elif self.values and self.kind in ("integer", "real", "date"):
            self._check_listed()

    def _check_years(self, last: int) -> None:
        try:
            self._written(self.first), self._written(last)
        except OverflowError as error:
            raise ValueError(f"Dates end with the year 9999; {self.shown} has later.") from error

    def _check_listed(self) -> None:
        """Raise ValueError unless listed numbers or dates are such, and ascending."""
        listed = self._numbers[: len(self.values)]
        if np.isnan(listed).any():
            text = self.values[int(np.argmax(np.isnan(listed)))]
            raise ValueError(f"The values of {self.shown} are {self.kind}s; {text!r:.40} is none.")
        if (np.diff(listed) <= 0).any():
            raise ValueError(f"Numbers and dates are ascending; those of {self.shown} are not.")

    def _check_fields(self) -> None:
        size, held = self.size, math.prod(self.bases)
        if min(self.bases, default=2) < 2 or held < size or not self.bases and size > 1:
            raise ValueError(
                f"The fields of a column hold its codes; {self.shown} has {size} codes in "
                f"fields of {self.bases}."
            )

    @property
    def shown(self) -> str:
        """The column, for messages."""
        return f"column {in_one_line(self.name)!r:.60}"

    @property
    def size(self) -> int:
        """The number of codes, that of a missing cell included."""
        return self.num_values + (self.missing is not None)

    @property
    def num_values(self) -> int:
        """The number of values; the code after them is that of a missing cell."""
        return len(self.values) or self.count

    @functools.cached_property
    def all_marks(self) -> frozenset[str]:
        """Texts that are read as missing unless they are values."""
        own = () if self.missing is None else (self.missing,)
        return frozenset((*own, *self.marks, *MISSING))

    @property
    def weights(self) -> tuple[int, ...]:
        """What a digit of each field is worth: code = sum of digit * weight."""
        return tuple(math.prod(self.bases[n + 1 :]) for n in range(len(self.bases)))

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, and no dates or words."""
        return self.kind in ("integer", "real")

    def encode(self, cells: Sequence[str], gaps: bool = False) -> Codes:
        """Codes of cells as they are written, int64 (N,).

        With `gaps` a missing cell is -1, also where the column knows no missing cells.

        Raises:
            ValueError: for a value that the column does not have, naming row, column and value.
        """
        distinct = list(dict.fromkeys(cells))
        known = self.lookup(distinct)
        absent = self.absent(distinct, known) if gaps else np.zeros(len(distinct), bool)
        unknown = {distinct[n] for n in np.flatnonzero((known < 0) & ~absent)}
        if unknown:
            row = next(n for n, cell in enumerate(cells) if cell in unknown)
            raise self.unknown(cells[row], f"row {row + 1} has")
        found = dict(zip(distinct, np.where(absent, -1, known).tolist(), strict=True))
        return np.fromiter((found[cell] for cell in cells), np.int64, len(cells))

    def lookup(self, texts: Sequence[str]) -> Codes:
        """The code of each text, -1 for a text that is no value of the column: int64 (N,)."""
        texts = [text.strip() for text in texts]
        result = np.full(len(texts), -1, np.int64)
        if self.values:
            result[:] = [self._places.get(text, -1) for text in texts]
        if self.missing is not None:
            marks = self.all_marks
            absent = [code < 0 and text in marks for text, code in zip(texts, result, strict=True)]
            result[np.array(absent, bool)] = self.num_values
        left = np.flatnonzero(result < 0)
        if len(left):
            result[left] = self._further([texts[n] for n in left])
        return result

    def absent(self, texts: Sequence[str], codes: Codes) -> Bool[np.ndarray, "N"]:
        """Whether each text, whose code is that of `lookup`, stands for a missing cell: (N,)."""
        marks = [text.strip() in self.all_marks for text in texts]
        unknown = (codes < 0) & np.array(marks, bool)
        return unknown if self.missing is None else unknown | (codes == self.num_values)

    def of_kind(self, texts: Sequence[str]) -> Bool[np.ndarray, "N"]:
        """Whether each text is a number or date as those of the column, or a missing cell: (N,).

        Of other columns every text is.
        """
        result = np.array([text.strip() in self.all_marks for text in texts], bool)
        if self.kind == "date":
            return result | dates.read(texts, self.form)[1]
        if not self.is_number:
            return np.ones(len(texts), bool)
        numbers = numerals.parse(texts, self.form)
        whole = self.kind == "real" or self.rounded or numbers == np.rint(numbers)
        return result | (np.isfinite(numbers) & whole)

    def _further(self, texts: Sequence[str]) -> Codes:
        """Codes of texts that are no listed value as they stand."""
        if self.is_number:
            return self.encode_numbers(numerals.parse(texts, self.form))
        if self.kind == "date":
            moments, fits = dates.read(texts, self.form)
            return np.where(fits, self.encode_points(moments.astype(np.float64)), -1)
        return np.array([self._places.get(unescaped(text), -1) for text in texts], np.int64)

    def encode_numbers(self, numbers: Float[np.ndarray, "N"]) -> Codes:
        """Codes of numbers, -1 for one that is no value, and for NaN: int64 (N,)."""
        if not self.values:
            points = numerals.points(numbers, self.decimals)
            if not self.rounded:
                back = numerals.exact(points, self.decimals)
                points = np.where(back == numbers, points, np.nan)
            return self.encode_points(points)
        known = self._numbers[: len(self.values)]  # ascending
        places = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
        return np.where(known[places] == numbers, places, -1)

    def encode_points(self, points: Float[np.ndarray, "N"]) -> Codes:
        """Codes of whole points (N,), as of dates, -1 for those that are no value: int64 (N,)."""
        if self.values:
            listed = {
                round(number): n for n, number in enumerate(self._numbers[: len(self.values)])
            }
            return np.array([listed.get(point, -1) for point in points.tolist()], np.int64)
        inside = np.isfinite(points) & (np.abs(points) <= numerals.MOST)
        offsets = np.where(inside, points, 0).astype(np.int64) - self.first
        places = np.rint(offsets / self.step).astype(np.int64)
        exact = self.rounded | (places * self.step == offsets)
        return np.where(inside & exact & (0 <= places) & (places < self.count), places, -1)

    def decode(self, codes: Codes) -> list[str]:
        """The texts of codes (N,), as the table writes them. ValueError for a code beyond them."""
        codes = np.asarray(codes, np.int64)
        beyond = np.flatnonzero((codes < 0) | (codes >= self.size))
        if len(beyond):
            raise ValueError(
                f"The codes of {self.shown} are 0 to {self.size - 1}; row {beyond[0] + 1} has "
                f"{codes[beyond[0]]}."
            )
        distinct, places = np.unique(codes, return_inverse=True)
        texts = np.array([self.text(code) for code in distinct.tolist()], object)
        return texts[places].tolist()

    def text(self, code: int) -> str:
        """The text of one code in [0, size)."""
        if code == self.num_values and self.missing is not None:
            return self.missing
        return self.values[code] if self.values else self._written(self.first + self.step * code)

    def _written(self, point: int) -> str:
        if self.kind == "date":
            return dates.written(point, self.form)
        return numerals.written(point, self.decimals, self.form)

    def numbers(self, codes: Codes) -> Float[np.ndarray, "N"]:
        """What codes (N,) are as numbers, float64 (N,), NaN where the cell is missing.

        Numbers are themselves, dates days or seconds since 1970, ordinal values their ranks, and
        categories their codes.
        """
        codes = np.asarray(codes, np.int64)
        if self.values:
            return self._numbers[codes]
        numbers = numerals.exact(self.first + self.step * codes, self.decimals)
        return np.where(codes < self.count, numbers, np.nan)

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {text: code for code, text in enumerate(self.values)}

    @functools.cached_property
    def _numbers(self) -> Float[np.ndarray, "size"]:
        """The number of every code of listed values."""
        if self.is_number:
            listed = numerals.parse(self.values, self.form)
        elif self.kind == "date":
            moments, fits = dates.parse(self.values, self.form)
            listed = np.where(fits, moments, np.nan)
        else:
            listed = np.arange(len(self.values), dtype=np.float64)
        return np.append(listed, [np.nan] * (self.missing is not None))

    def digits(self, codes: Codes) -> Integer[np.ndarray, "N fields"]:
        """The token of each field, int64 (N, F), of codes (N,)."""
        weights, bases = np.array(self.weights, np.int64), np.array(self.bases, np.int64)
        return np.asarray(codes, np.int64)[:, None] // weights % bases

    def unknown(self, text: str, found: str) -> ValueError:
        """The error for a text that is no value: the rule, what was found, and known values."""
        shown = in_one_line(text)
        return ValueError(
            f"The cells of {self.shown} are its values; {found} {shown!r:.60}. {self.known}"
        )

    @property
    def known(self) -> str:
        """The values in a sentence, or some of them."""
        absent = "" if self.missing is None else f", or missing ({self.missing!r})"
        if self.is_number or self.kind == "date":
            ends = self.text(0), self.text(self.num_values - 1)
            listed = 0 < len(self.values) <= SHOWN
            if not listed and self.num_values:
                apart = "" if self.values or self.step == 1 else f" in steps of {self._apart()}"
                return f"They go from {ends[0]} to {ends[1]}{apart}{absent}."
        some = ", ".join(in_one_line(value)[:40] for value in self.values[:SHOWN])
        more = len(self.values) - SHOWN
        return f"Known are {some or 'none'}{f' and {more:,} more' if more > 0 else ''}{absent}."

    def _apart(self) -> str:
        if self.kind == "date":
            return f"{self.step} {'seconds' if dates.in_seconds(self.form) else 'days'}"
        return numerals.written(self.step, self.decimals, "trimmed")
