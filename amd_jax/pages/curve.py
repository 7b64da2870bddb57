"""The learning curve of a run: which metrics are drawn, and their names."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from amd_jax.evaluation.measurement import Measurement, finite
from amd_jax.facts import Json
from amd_jax.pages import plot
from amd_jax.pages.plot import Level, Line, Point, Sheet

LOSS = re.compile(r"loss_bits_per_(?P<unit>\w+)")
BOUND = re.compile(r"validation_(?P<bound>\w+?)_bits_per_(?P<unit>\w+)(?<!_error)")
ROWS = 40  # of the table


class Series(NamedTuple):
    """One of the metrics, in bits per `unit`."""

    name: str  # such as "validation (elbo)"
    unit: str
    points: list[Point]
    is_loss: bool

    def line(self, colour: int) -> Line:
        """It as a line of a plot."""
        return Line(self.name, self.points, colour, thin=self.is_loss)


class Panel(NamedTuple):
    """A plot in two sizes, with what stands below it."""

    unit: str
    sheets: dict[str, Sheet]  # "wide" and "narrow"
    lines: list[Line]
    columns: list[str]  # of the table of its numbers
    rows: list[list[str]]

    @property
    def cut(self) -> bool:
        """Whether some values are above the plot."""
        return any(sheet.cut for sheet in self.sheets.values())


def panel(result: Sequence[Series], levels: Sequence[Level] = ()) -> Panel | None:
    """The plot of some series of one unit; None if there are no numbers to draw."""
    lines = [one.line(colour) for colour, one in enumerate(result)]
    wide, narrow = (plot.drawn(lines, levels, size) for size in (plot.WIDE, plot.NARROW))
    if wide is None or narrow is None:
        return None
    return Panel(result[0].unit, {"wide": wide, "narrow": narrow}, lines, *table(result))


def series(metrics: Sequence[Json]) -> list[Series]:
    """The loss and the bounds on the validation split, those that are there, the bounds first."""
    names = dict.fromkeys(name for line in metrics for name in line)
    result = []
    for name in names:
        if match := BOUND.fullmatch(name):
            title = f"validation ({match['bound']})"
        elif match := LOSS.fullmatch(name):
            title = "training loss"
        else:
            continue
        points = [
            Point(line["step"], line[name], finite(line.get(f"{name}_error")) or 0.0)
            for line in metrics
            if finite(line.get(name)) is not None
        ]
        if points:
            result.append(Series(title, match["unit"], points, match.re is LOSS))
    return sorted(result, key=lambda one: one.is_loss)


def levels(figures: Sequence[Measurement], unit: str) -> list[Level]:
    """The count models among the figures of a run, as levels of its curve."""
    result = {}
    for f in figures:
        if f.what == "count_model" and f.value is not None and f.unit in (unit, None):
            result[f.order] = Level(f"count model of order {f.order}: {f.value:.2f}", f.value)
    return list(result.values())


def table(result: Sequence[Series]) -> tuple[list[str], list[list[str]]]:
    """The numbers behind a curve: names of the columns, and rows from the first step to the last.

    Of many steps some: those of the series that has the fewest points.
    """
    if not result:
        return [], []
    steps = [p.x for p in min(result, key=lambda one: len(one.points)).points]
    steps = steps[:: -(-len(steps) // ROWS)][:-1] + steps[-1:]
    known = [{p.x: p for p in one.points} for one in result]
    rows = [[f"{step:,}", *(_cell(points.get(step)) for points in known)] for step in steps]
    return ["step", *(one.name for one in result)], rows


def _cell(point: Point | None) -> str:
    """Such as "2.261 ± 0.029"."""
    if point is None:
        return "–"
    return f"{point.y:.3f} ± {point.error:.3f}" if point.error else f"{point.y:.3f}"
