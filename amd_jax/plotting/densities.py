"""Histograms of groups of numbers."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from amd_jax.plotting.canvas import Figure, colour, subplots

BINS = 60


def histograms(
    panels: Mapping[str, Mapping[str, ArrayLike]], *, x_label: str = "", y_label: str = "density"
) -> Figure:
    """Histograms side by side: for each panel groups of numbers, (n,) each, by name.

    The groups of a panel share bins and one area, 1: that of a group is its share of the numbers.
    """
    figure, axes = subplots(1, len(panels), size=(4.2 * len(panels), 3.2))
    for panel, (title, groups) in zip(axes[0], panels.items(), strict=True):
        arrays = {name: np.ravel(np.asarray(values, float)) for name, values in groups.items()}
        every = np.concatenate(list(arrays.values()))
        bins = np.linspace(every.min(), every.max(), BINS + 1)
        weight = 1 / (len(every) * (bins[1] - bins[0]))
        for i, (name, values) in enumerate(arrays.items()):
            weights = np.full(len(values), weight)
            panel.hist(values, bins, weights=weights, color=colour(i), alpha=0.7, label=name)
        panel.set(title=title, xlabel=x_label)
        panel.legend(frameon=False)
    axes[0, 0].set_ylabel(y_label)
    return figure
