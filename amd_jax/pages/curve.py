"""The learning curve of a run: which metrics are drawn, and their names."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from amd_jax.evaluation.measurement import Measurement, finite
from amd_jax.facts import Json
from amd_jax.pages import figures, plot
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
    is_loss: bool
    sheets: dict[str, Sheet]  # "wide" and "narrow"
    lines: list[Line]
    columns: list[str]  # of the table of its numbers
    rows: list[list[str]]

    @property
    def title(self) -> str:
        """What it shows."""
        return "Training loss" if self.is_loss else "Bits on held-out data"

    @property
    def has_bands(self) -> bool:
        """Whether some values have an error."""
        return any(curve.band for sheet in self.sheets.values() for curve in sheet.curves)

    @property
    def has_levels(self) -> bool:
        """Whether there are figures to compare with."""
        return any(sheet.rules for sheet in self.sheets.values())

    @property
    def cut(self) -> bool:
        """Whether some values are above the plot."""
        return any(sheet.cut for sheet in self.sheets.values())


def panels(
    result: Sequence[Series], levels: Callable[[str], Sequence[Level]] = lambda unit: ()
) -> list[Panel]:
    """A plot of the bounds in each unit, with the levels of that unit; then those of the losses.

    A loss is drawn apart: it is of training rows, and an objective weights the steps in its own
    way, so that no figure of held-out rows compares with it.
    """
    groups: dict[tuple[bool, str], list[Series]] = {}
    for one in result:
        groups.setdefault((one.is_loss, one.unit), []).append(one)
    drawn = (panel(groups[key], () if key[0] else levels(key[1])) for key in sorted(groups))
    return [plotted for plotted in drawn if plotted is not None]


def panel(result: Sequence[Series], levels: Sequence[Level] = ()) -> Panel | None:
    """The plot of some series of one kind and unit; None if there are no numbers to draw."""
    lines = [one.line(colour) for colour, one in enumerate(result)]
    wide, narrow = (plot.drawn(lines, levels, size) for size in (plot.WIDE, plot.NARROW))
    if wide is None or narrow is None:
        return None
    sheets = {"wide": wide, "narrow": narrow}
    return Panel(result[0].unit, result[0].is_loss, sheets, lines, *table(result))


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


def own_level(measured: Sequence[Measurement], unit: str) -> list[Level]:
    """The best figure of a run, as a level of its curve; none if it is of another unit."""
    best = figures.best(measured)
    if best is None or best.value is None or best.unit not in (unit, None):
        return []
    return [Level(f"this model{_split(best)}: {best.value:.2f}", best.value)]


def count_levels(measured: Sequence[Measurement], unit: str) -> list[Level]:
    """Count models and baselines on the split of the best figure, as levels of a curve."""
    best, result = figures.best(measured), {}
    for f in measured:
        is_level = f.what in ("count_model", "baseline") and f.unit in (unit, None)
        if is_level and f.value is not None and (best is None or f.split == best.split):
            is_count = f.what == "count_model"
            name = f"counts of order {f.order}" if is_count else (f.method or "").split(",")[0]
            result[name] = Level(f"{name}{_split(f)}: {f.value:.2f}", f.value)
    return list(result.values())


def _split(figure: Measurement) -> str:
    """Such as ", test"."""
    return f", {figure.split}" if figure.split else ""


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
