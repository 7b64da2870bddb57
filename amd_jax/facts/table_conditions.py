"""Reads conditions on the columns of a table, such as "age=30..40, income=>50K"."""

import math
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Integer

from amd_jax.facts import dates, numerals
from amd_jax.facts.column import Column
from amd_jax.facts.table import TableFacts
from amd_jax.host.printable import in_one_line

Ranges = Integer[np.ndarray, "R 2"]  # codes from the first to the second, both included, ascending


def parse(facts: TableFacts, given: str | Mapping[str, object]) -> dict[str, Ranges]:
    """Column -> allowed codes, of a text such as "age=30..40, income=>50K", or of a mapping.

    What may stand after the = is said in `allowed`, what a mapping may have in `chosen`.

    Raises:
        ValueError: for an unknown column or value, and for two conditions on one column.
    """
    if isinstance(given, Mapping):
        return {name: chosen(facts.column(name), value) for name, value in given.items()}
    text = given
    names = sorted((re.escape(column.name) for column in facts.columns), key=len, reverse=True)
    starts = [*re.finditer(rf"(?:^|,)\s*({'|'.join(names)})\s*=", text)]
    if not starts or text[: starts[0].start()].strip():
        facts.place(text.partition("=")[0].strip())
        raise ValueError(f"A condition is such as column=value; got {in_one_line(text)!r:.60}.")
    ends = [start.start() for start in starts[1:]] + [len(text)]
    result: dict[str, Ranges] = {}
    for start, end in zip(starts, ends, strict=True):
        if start[1] in result:
            raise ValueError(
                f"A column has one condition; {in_one_line(start[1])!r:.60} has two. Put | "
                "between the values."
            )
        result[start[1]] = _of_column(facts, start[1], text[start.end() : end])
    return result


def _of_column(facts: TableFacts, name: str, condition: str) -> Ranges:
    """Codes that a condition allows; ValueError if a further column name seems to be in it."""
    try:
        return allowed(facts.column(name), condition)
    except ValueError:
        further = re.search(r",\s*([^=,|]+?)\s*=", condition)
        if further:
            facts.place(further[1])
        raise


def allowed(column: Column, condition: str) -> Ranges:
    """Codes that a condition allows, as ranges int64 (R, 2), ascending and apart.

    A condition is a value, `low..high` (both included, either may be left out) of numbers,
    dates and ordinal values, `missing`, or several of these with | between.

    Raises:
        ValueError: for a value that the column does not have, or a range that holds none.
    """
    text = condition.strip()
    parts = [text] if text in column.values else text.split("|")
    return _joined(_part(column, part.strip()) for part in parts)


def chosen(column: Column, condition: object) -> Ranges:
    """The same of a value of Python: a text, number, bool or date, however the column writes it.

    None is a missing cell, a tuple (low, high) a range with both ends, where None is no end, and
    a list several of these.

    Raises:
        ValueError: for a value that the column does not have, or a range that holds none.
    """
    parts = condition if isinstance(condition, list) else [condition]
    if not parts:
        raise ValueError(f"A condition allows a value or more; {column.shown} has none.")
    return _joined(pair for part in parts for pair in _chosen(column, part))


def _chosen(column: Column, part: object) -> list[tuple[int, int]]:
    """The codes of a value of Python, or of a range of them."""
    if not isinstance(part, tuple):
        return [(code, code) for code in _codes(column, part, "the condition has")]
    if len(part) != 2 or column.kind == "categorical":
        raise ValueError(
            "A tuple is a range (low, high) of numbers, dates or ordinal values; "
            f"{column.shown} has {in_one_line(part)!s:.60}. Put several values in a list."
        )
    low, high = (_end(column, end) for end in part)
    return [_range(column, low, high)]


def _end(column: Column, end: object) -> str:
    """An end of a range as a text; "" is none."""
    if end is None:
        return ""
    if column.kind == "ordinal":
        return column.text(_codes(column, end, "a range has")[0])
    return _text(column, end).strip()


def _codes(column: Column, value: object, found: str) -> list[int]:
    """The codes of a value of Python: several, if several texts of a category are that number."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        if column.missing is None:
            raise column.unknown("missing", found)
        return [column.num_values]
    text = _text(column, value)
    texts = [text]
    if isinstance(value, bool | np.bool_):
        texts += [text.lower(), text.upper(), str(int(value))]
    known = column.lookup(texts)
    codes = known[known >= 0][:1]
    if not len(codes) and isinstance(value, numbers.Number) and not column.is_number:
        codes = np.flatnonzero(numerals.parse(column.values) == numerals.parse([text]))
    if not len(codes):
        raise column.unknown(text, found)
    return codes.tolist()


def _text(column: Column, value: object) -> str:
    """A value of Python as the column may write it."""
    text = str(value)
    is_decimal = isinstance(value, numbers.Number) and column.form.endswith(numerals.COMMA)
    return text.replace(".", numerals.COMMA) if is_decimal else text


def _joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Ranges of codes, ascending and apart."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(high, joined[-1][1])
        else:
            joined.append((low, high))
    return np.array(joined, np.int64)


def _part(column: Column, text: str) -> tuple[int, int]:
    """The codes of a value or of a range."""
    code = int(column.lookup([text])[0])
    if code >= 0:
        return code, code
    if text == "missing" and column.missing is not None:
        return column.num_values, column.num_values
    low, dots, high = text.partition("..")
    if not dots or column.kind == "categorical":
        raise column.unknown(text, "the condition has")
    return _range(column, low.strip(), high.strip())


def _range(column: Column, low: str, high: str) -> tuple[int, int]:
    """The first and the last code from one value to another, both included; "" is no end."""
    first = _bound(column, low, "left") if low else 0
    last = (_bound(column, high, "right") if high else column.num_values) - 1
    if first > last:
        raise ValueError(
            f"A range holds a value or more; none of {column.shown} lies in {low}..{high}. "
            f"{column.known}"
        )
    return first, last


def _bound(column: Column, text: str, side: str) -> int:
    """How many values lie before a bound: below it ("left"), or not above it ("right")."""
    if column.kind == "ordinal":
        if text not in column.values:
            raise column.unknown(text, "a range has")
        return column.values.index(text) + (side == "right")
    number = _number(column, text)
    if column.values:
        listed = column.numbers(np.arange(column.num_values))
        return int(np.searchsorted(listed, number, side))  # type: ignore[call-overload]
    with np.errstate(over="ignore"):
        point = float(numerals.scaled(np.array([number]), column.decimals)[0])
    place = float(np.clip((point - column.first) / column.step, -1, column.count + 1))
    nearest = round(place)
    if abs(place - nearest) < 1e-6:  # 0.3 * 10 is not 3
        place = nearest
    bound = math.ceil(place) if side == "left" else math.floor(place) + 1
    return min(max(bound, 0), column.count)


def _number(column: Column, text: str) -> float:
    """A bound as a number; a date as days or seconds since 1970."""
    if column.is_number:
        number = float(numerals.parse([text], column.form)[0])
        if not math.isnan(number):
            return number
    else:
        moments, fits = dates.read([text], column.form)
        if fits[0]:
            return float(moments[0])
    raise column.unknown(text, "a range has")


def next_digits(column: Column, ranges: Ranges, prefix: Sequence[int]) -> Bool[np.ndarray, "base"]:
    """Which digits of the next field keep a code within some ranges, after a prefix of digits.

    ranges int64 (R, 2), prefix of tokens of the fields before -> bool (base of the field,).
    `[[0, size - 1]]` allows all codes there are.
    """
    place, weights = len(prefix), column.weights
    before = sum(digit * weight for digit, weight in zip(prefix, weights, strict=False))
    low = before + np.arange(column.bases[place]) * weights[place]
    high = low + weights[place] - 1
    overlap = (low[:, None] <= ranges[:, 1]) & (ranges[:, 0] <= high[:, None])
    return np.any(overlap, axis=1)
