"""Numbers as a table writes them: points of a grid, and the texts they come from.

A point is an integer, the number in units of 10 ** -decimals: 1.25 is 125 with two decimals, and
12,000 is 12 with -3.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Real

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"  # an optional exponent; no inf, no nan
COMMA = ","  # ends the form of numbers with a comma before their decimals: 1,25
FORMS = (  # all decimals; none that is 0; the same, but one at least
    *("", "trimmed", "point"),
    *(COMMA, f"trimmed{COMMA}", f"point{COMMA}"),
)
MOST = 10**15  # the largest point: float64 holds it exactly, with room for rounding
MOST_DECIMALS = (
    22  # up to here 10 ** decimals is a float64, and so a point over it the nearest one
)
NUMBER_ONLY = re.compile(NUMBER, re.ASCII)


def parse(texts: Sequence[str], form: str = "") -> Float[np.ndarray, "N"]:
    """The number that each text of a form is, NaN for a text that is none: float64 (N,)."""
    if form.endswith(COMMA):
        texts = ["" if "." in text else text.replace(COMMA, ".") for text in texts]
    result = [float(text) if NUMBER_ONLY.fullmatch(text) else math.nan for text in texts]
    return np.array(result, np.float64)


def points(numbers: Float[np.ndarray, "N"], decimals: int) -> Float[np.ndarray, "N"]:
    """The nearest points of the grid, as whole float64 (N,)."""
    with np.errstate(over="ignore"):
        return np.rint(scaled(numbers, decimals))


def written(point: int, decimals: int, form: str = "") -> str:
    """The text of a point: "1.50" of 150 with two decimals, trimmed "1.5"."""
    if decimals < 0:
        return str(point * 10**-decimals)
    whole, rest = divmod(abs(point), 10**decimals)
    digits = f"{rest:0{decimals}}" if decimals else ""
    sign = COMMA if form.endswith(COMMA) else "."
    if form.removesuffix(COMMA):
        digits = digits.rstrip("0") or ("0" if form.startswith("point") else "")
    return f"{'-' if point < 0 else ''}{whole}{sign if digits else ''}{digits}"


def exact(points: Real[np.ndarray, "N"], decimals: int) -> Float[np.ndarray, "N"]:
    """The numbers of points (N,): float64 (N,)."""
    return scaled(points.astype(np.float64), -decimals)


def scaled(numbers: Float[np.ndarray, "N"], power: int) -> Float[np.ndarray, "N"]:
    """Numbers times 10 ** power, rounded once: 10.0 ** -3 is not a float64, 10.0 ** 3 is."""
    return numbers * 10.0**power if power >= 0 else numbers / 10.0**-power
