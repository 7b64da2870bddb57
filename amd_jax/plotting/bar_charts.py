"""Figures side by side as horizontal bars, with their standard errors."""

from collections.abc import Collection, Mapping

import numpy as np

from amd_jax.plotting.canvas import COLOURS, GREY, Figure, subplots


def bars(
    results: Mapping[str, tuple[float, float]], *, label: str, highlight: Collection[str] = ()
) -> Figure:
    """A bar for each result, with its value: pairs of a value and its standard error, by name.

    `label` names the axis with its unit; the bars to `highlight` have a colour, the others are
    grey.
    """
    values, errors = np.array(list(results.values()), float).T
    colours = [COLOURS[0] if name in highlight else GREY for name in results]
    figure, axes = subplots(size=(6.5, 0.75 + 0.33 * len(results)))
    panel = axes[0, 0]
    panel.barh(list(results), values, xerr=errors, color=colours, height=0.6, capsize=3)
    ends, top = values + np.nan_to_num(errors), np.max(values + np.nan_to_num(errors))
    for i, end in enumerate(ends):
        panel.text(end + 0.012 * top, i, f"{values[i]:.2f}", va="center")
    panel.set(xlabel=label, xlim=(0, 1.1 * top))
    panel.invert_yaxis()
    return figure
