"""Curves with error bars, and the learning curve of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from amd_jax.pages import curve
from amd_jax.plotting.canvas import GREY, Axes, Figure, colour, subplots
from amd_jax.runs import metrics_log

SIZE = (6.5, 3.2)  # inches
Line = tuple[ArrayLike, ...]  # x and y, (n,) each, and the standard error of y if it has one


def curves(
    lines: Mapping[str, Line],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    log2_x: bool = False,
    size: tuple[float, float] = SIZE,
) -> Figure:
    """Lines by name: pairs (x, y), or with error bars triples (x, y, standard error of y).

    With `log2_x` the x axis is logarithmic and marks the values of x.
    """
    figure, axes = subplots(size=size)
    panel = axes[0, 0]
    for i, (name, line) in enumerate(lines.items()):
        _draw(panel, line, label=name, color=colour(i))
    if log2_x:
        ticks = sorted({float(x) for line in lines.values() for x in np.ravel(line[0])})
        panel.set_xscale("log", base=2)
        panel.set_xticks(ticks, [f"{x:g}" for x in ticks])
    panel.set(xlabel=x_label, ylabel=y_label, title=title)
    if any(lines):
        panel.legend(frameon=False)
    return figure


def training_curve(workdir: str | Path) -> Figure:
    """Training loss and validation bounds of a run, from the metrics in its folder.

    Raises ValueError if the folder has none.
    """
    series = curve.series(metrics_log.read(Path(workdir))[0])
    if not series:
        raise ValueError(f"A learning curve needs the metrics of a run; {workdir} has none.")
    figure, axes = subplots(size=SIZE)
    panel = axes[0, 0]
    for i, one in enumerate(series):
        steps, values, errors = np.array(one.points).T
        line = (steps, values) if one.is_loss else (steps, values, errors)
        _draw(panel, line, label=one.name, color=GREY if one.is_loss else colour(i))
    panel.set(xlabel="training step", ylabel=f"bits per {series[0].unit}")
    panel.legend(frameon=False)
    return figure


def _draw(panel: Axes, line: Line, **style: Any) -> None:
    """Adds a line to axes: thin, or with a dot and an error bar at each point."""
    if len(line) == 2:
        panel.plot(*map(np.asarray, line), lw=1.5, **style)
    else:
        x, y, error = map(np.asarray, line)
        panel.errorbar(x, y, yerr=error, marker="o", ms=4, capsize=3, **style)
