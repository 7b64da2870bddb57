"""Plots: numbers in, places on a sheet out, which the template `plot.svg.j2` draws."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 30, 40  # margins, in units of the drawing
MOST = 400  # points of a line
DOTTED = 12  # points of a line up to which each has a dot
LABEL = 15  # from label to label
WIDE, NARROW = (960, 400), (360, 300)  # width and height


class Point(NamedTuple):
    """A value at a place, with its standard error if it has one."""

    x: float
    y: float
    error: float = 0.0


class Line(NamedTuple):
    """A curve: points from left to right, with the number of its colour and dashes."""

    name: str
    points: Sequence[Point]
    colour: int = 0
    thin: bool = False


class Level(NamedTuple):
    """A horizontal line, to compare with."""

    name: str
    value: float


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float
    label: str


class Curve(NamedTuple):
    """A line on the sheet, with the band of its errors and the dots of its points."""

    path: str
    band: str  # empty if there are no errors
    dots: list[tuple[float, float]]
    colour: int
    thin: bool


class Rule(NamedTuple):
    """A level on the sheet, with the place of its label."""

    at: float
    label_at: float
    label: str


class Sheet(NamedTuple):
    """Everything that is drawn, in units of the drawing."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    curves: list[Curve]
    rules: list[Rule]
    cut: bool  # whether some values are above the sheet


def drawn(
    lines: Sequence[Line], levels: Sequence[Level] = (), size: tuple[int, int] = WIDE
) -> Sheet | None:
    """Lines and levels on a sheet of a width and a height; None if there is nothing to draw.

    The x axis begins at 0. Of the largest values of a line, as at the beginning of a training, a
    twentieth may be cut off, so that the rest can be distinguished.
    """
    lines = [line._replace(points=finite(line.points)) for line in lines]
    lines = [line for line in lines if line.points]
    levels = [level for level in levels if math.isfinite(level.value)]
    if not lines:
        return None
    width, height = size
    low, high, cut = _range(lines, levels)
    last = max(line.points[-1].x for line in lines) or 1.0
    left, right, top, bottom = LEFT, width - RIGHT, TOP, height - BOTTOM

    def x(value: float) -> float:
        return round(left + (right - left) * value / last, 1)

    def y(value: float) -> float:
        inside = min(max(value, low - high), 2 * high - low)  # the sheet cuts the rest
        return round(bottom - (bottom - top) * (inside - low) / (high - low), 1)

    return Sheet(
        width,
        height,
        left,
        right,
        top,
        bottom,
        [Tick(x(value), short(value)) for value in ticks(0, last, width // 110)],
        [Tick(y(value), f"{value:g}") for value in ticks(low, high, height // 55)],
        [_curve(line, x, y) for line in lines],
        _rules(levels, y),
        cut,
    )


def finite(points: Sequence[Point]) -> list[Point]:
    """The points that are numbers, in order, and few enough to be drawn.

    Of too many, neighbours are replaced by their mean, but for the last.
    """
    result = sorted(p for p in points if math.isfinite(p.x) and math.isfinite(p.y))
    result = [p if math.isfinite(p.error) else p._replace(error=0.0) for p in result]
    if len(result) <= MOST:
        return result
    groups = np.array_split(np.array(result[:-1]), MOST - 1)
    return [*(Point(*group.mean(axis=0).tolist()) for group in groups), result[-1]]


def ticks(low: float, high: float, number: int) -> list[float]:
    """About so many round numbers from low to high: multiples of 1, 2 or 5 times a power of 10."""
    rough = (high - low) / max(1, number)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= 0.999 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def short(value: float) -> str:
    """A number of steps in few signs: "500", "20k", "1.5M"."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / min(size, 1e3 if sign == 'k' else size):g}{sign}"
    return f"{value:g}"


def apart(places: Sequence[float], least: float) -> list[float]:
    """Places moved upwards as little as needed until no two are nearer than `least`.

    They come back in their order; the one that is farthest down stays.
    """
    result, above = [0.0] * len(places), math.inf
    for i in sorted(range(len(places)), key=lambda i: -places[i]):
        above = result[i] = min(places[i], above - least)
    return result


def _range(lines: Sequence[Line], levels: Sequence[Level]) -> tuple[float, float, bool]:
    """The least and the largest value of the sheet, and whether some are above."""
    lows = [p.y - p.error for line in lines for p in line.points]
    highs = [p.y + p.error for line in lines for p in line.points]
    tops = [_most([p.y + p.error for p in line.points]) for line in lines]
    values = [level.value for level in levels]
    low, high = min(lows + values), max(tops + values)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin, max(highs) > high + margin


def _most(values: Sequence[float]) -> float:
    """The largest of the values, a twentieth of them apart."""
    return float(np.quantile(values, 0.95, method="higher"))


def _curve(line: Line, x, y) -> Curve:
    """A line on the sheet."""
    places = [(x(p.x), y(p.y)) for p in line.points]
    band = ""
    if any(p.error for p in line.points):
        over = [(x(p.x), y(p.y + p.error)) for p in line.points]
        under = [(x(p.x), y(p.y - p.error)) for p in reversed(line.points)]
        band = f"M{_path([*over, *under])}Z"
    dots = places if len(places) <= DOTTED else []
    return Curve(f"M{_path(places)}", band, dots, line.colour, line.thin)


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:g} {y:g}" for x, y in places)


def _rules(levels: Sequence[Level], y) -> list[Rule]:
    """Levels on the sheet, their labels above them and apart from each other."""
    heights = [y(level.value) for level in levels]
    labels = apart([height - 5 for height in heights], LABEL)
    zipped = zip(heights, labels, levels, strict=True)
    return [Rule(height, label, level.name) for height, label, level in zipped]
