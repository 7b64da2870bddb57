"""Dates as a table writes them: days, or seconds, since 1970 began.

A form is written as for `strftime`: %Y %m %d %H %M %S have leading zeros, %-d %-m %-H have none,
and all else stands for itself.
"""

import datetime
import itertools
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Integer

WIDTHS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}
UNPADDED = {"%-m": "%m", "%-d": "%d", "%-H": "%H"}
DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%-d/%-m/%Y", "%-m/%-d/%Y", "%-d.%-m.%Y", "%-m.%-d.%Y"),
)
TIMES = (
    "",
    " %H:%M:%S",
    "T%H:%M:%S",
    "T%H:%M:%SZ",
    " %H:%M:%S+00:00",
    " %H:%M",
    "T%H:%M",
    " %-H:%M",
    " %-H:%M:%S",
)
ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
FORMS = tuple(day + time for day, time in itertools.product(DAYS, TIMES))  # that are recognised
_TOKEN = re.compile("|".join([*UNPADDED, *WIDTHS]))
_NUMBERS = re.compile(r"[0-9]+")


def likely(text: str) -> tuple[str, ...]:
    """The recognised forms with the signs of a text between numbers: few, if any."""
    return _SHAPES.get(_NUMBERS.sub("0", text[:40]), ())


def _shapes() -> dict[str, tuple[str, ...]]:
    """Forms by what stands between their numbers."""
    result: dict[str, tuple[str, ...]] = {}
    for form in FORMS:
        shape = _TOKEN.sub("0", form)
        result[shape] = (*result.get(shape, ()), form)
    return result


def in_seconds(form: str) -> bool:
    """Whether dates of a form have a time of day, and so are counted in seconds."""
    return "%H" in form or "%-H" in form


def check(form: str) -> None:
    """Raises ValueError unless a form names a year, a month and a day, each part once."""
    parts = [UNPADDED.get(token, token) for token in _TOKEN.findall(form)]
    whole = {"%Y", "%m", "%d"} <= set(parts) and len(set(parts)) == len(parts)
    if not whole or "%" in _TOKEN.sub("", form) or ("%H" not in parts and len(parts) > 3):
        raise ValueError(
            "A form of dates has %Y, %m and %d, and perhaps %H, %M and %S, each once; got "
            f"{form!r:.60}. Use such as %Y-%m-%d or %d/%m/%Y %H:%M."
        )


def parse(
    texts: Sequence[str], form: str
) -> tuple[Integer[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """Days or seconds of each text, int64 (N,), and whether it is a date of that form, bool (N,).

    Where it is none, the number means nothing.
    """
    padded = not any(token in form for token in UNPADDED)
    parts, fits = (_padded if padded else _unpadded)(texts, form)
    year, month, day = parts["%Y"], parts["%m"], parts["%d"]
    hour, minute, second = (parts.get(t, np.zeros_like(year)) for t in ("%H", "%M", "%S"))
    fits = fits & (year >= 1) & (1 <= month) & (month <= 12) & (1 <= day)
    fits &= (hour <= 23) & (minute <= 59) & (second <= 59)
    months = (np.where(fits, year, 1970) - 1970) * 12 + np.where(fits, month, 1) - 1
    dates = months.astype("datetime64[M]").astype("datetime64[D]") + (day - 1)
    fits &= dates.astype("datetime64[M]").astype(np.int64) == months  # no 30th of February
    days = dates.astype(np.int64)
    return (
        (days * 86_400 + hour * 3600 + minute * 60 + second, fits)
        if in_seconds(form)
        else (days, fits)
    )


def read(
    texts: Sequence[str], form: str
) -> tuple[Integer[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """The same of texts of a form or of ISO 8601, as data frames write dates: 2001-02-03 04:05:06.

    A day is its midnight where seconds are counted, and only midnights are days.
    """
    numbers, fits = parse(texts, form)
    for other in ISO:
        left = np.flatnonzero(~fits)
        if not len(left):
            break
        found, known = parse([texts[n] for n in left.tolist()], other)
        if in_seconds(other) and not in_seconds(form):
            known = known & (found % 86_400 == 0)
            found = found // 86_400
        elif in_seconds(form) and not in_seconds(other):
            found = found * 86_400
        numbers[left], fits[left] = found, known
    return numbers, fits


def written(number: int, form: str) -> str:
    """The text of days, or seconds, since 1970 began."""
    step = datetime.timedelta(**{"seconds" if in_seconds(form) else "days": number})
    when = datetime.datetime(1970, 1, 1) + step
    parts = {"%Y": when.year, "%m": when.month, "%d": when.day}
    parts |= {"%H": when.hour, "%M": when.minute, "%S": when.second}

    pieces, start = [], 0
    for match in _TOKEN.finditer(form):
        token = match[0]
        number = parts[UNPADDED.get(token, token)]
        pieces += [form[start : match.start()], f"{number:0{WIDTHS.get(token, 0)}}"]
        start = match.end()
    return "".join([*pieces, form[start:]])


Parts = dict[str, Integer[np.ndarray, "N"]]


def _padded(texts: Sequence[str], form: str) -> tuple[Parts, Bool[np.ndarray, "N"]]:
    """Numbers by token, and whether the text has the form; every part has its width."""
    pieces, start = [], 0
    for match in [*_TOKEN.finditer(form), None]:
        pieces.append((form[start : match.start() if match else None], match and match[0]))
        start = match.end() if match else 0
    width = sum(len(text) + WIDTHS.get(token or "", 0) for text, token in pieces)
    fits = np.fromiter((len(text) == width for text in texts), bool, len(texts))
    kept = [text if fit else " " * width for text, fit in zip(texts, fits, strict=True)]
    signs = np.array(kept, f"U{width}").view(np.uint32).reshape(len(kept), width).astype(np.int64)
    result, at = {}, 0
    for text, token in pieces:
        for sign in text:
            fits &= signs[:, at] == ord(sign)
            at += 1
        if token:
            digits = signs[:, at : at + WIDTHS[token]] - ord("0")
            fits &= ((digits >= 0) & (digits <= 9)).all(axis=1)
            result[token] = np.where(fits, digits @ 10 ** np.arange(WIDTHS[token])[::-1], 0)
            at += WIDTHS[token]
    return result, fits


def _unpadded(texts: Sequence[str], form: str) -> tuple[Parts, Bool[np.ndarray, "N"]]:
    """The same of a form in which some parts have one digit or two."""
    tokens = _TOKEN.findall(form)
    between = _TOKEN.split(form)
    patterns = [r"([1-9]?\d)" if t in UNPADDED else rf"(\d{{{WIDTHS[t]}}})" for t in tokens]
    whole = re.compile(
        "".join(
            re.escape(text) + pattern
            for text, pattern in zip(between, [*patterns, ""], strict=True)
        ),
        re.ASCII,
    )
    matches = [whole.fullmatch(text) for text in texts]
    fits = np.array([match is not None for match in matches], bool)
    none = ("0",) * len(tokens)
    rows = [[*map(int, match.groups() if match else none)] for match in matches]
    columns = np.array(rows, np.int64).reshape(len(rows), len(tokens)).T
    return {UNPADDED.get(t, t): column for t, column in zip(tokens, columns, strict=True)}, fits


_SHAPES = _shapes()
