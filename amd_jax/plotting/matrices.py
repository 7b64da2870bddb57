"""Matrices of probabilities, shaded by their square roots."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Real

from amd_jax.plotting.canvas import Figure, subplots
from amd_jax.types import Array

MOST_NAMES = 32  # on an axis
SIDE = 3.4  # inches


def heat_maps(
    panels: Mapping[str, Real[Array, "R C"]],
    *,
    x_label: str,
    y_label: str,
    names: Sequence[str] = (),
    maximum: float | None = None,
    first_row_below: bool = False,
) -> Figure:
    """Matrices (R, C) side by side; darker is more, by the square root.

    All share one scale, from 0 to `maximum`, or the largest value. `names` of the classes stand
    at both axes if there are at most 32. With `first_row_below` row 0 is at the bottom.
    """
    top = max(np.max(matrix) for matrix in panels.values()) if maximum is None else maximum
    figure, axes = subplots(1, len(panels), size=(SIDE * len(panels), SIDE + 0.2), sharey=True)
    for panel, (title, matrix) in zip(axes[0], panels.items(), strict=True):
        panel.imshow(
            np.sqrt(matrix),
            cmap="Blues",
            interpolation="nearest",
            vmin=0,
            vmax=float(np.sqrt(top)),
            origin="lower" if first_row_below else "upper",
        )
        panel.set(title=title, xlabel=x_label)
        if 0 < len(names) <= MOST_NAMES:
            panel.set_xticks(range(len(names)), names, size=6)
            panel.set_yticks(range(len(names)), names, size=6)
    axes[0, 0].set_ylabel(y_label)
    return figure
