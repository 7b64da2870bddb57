"""Empty figures in the style of this package; imports matplotlib on first use."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:
    Axes = Figure = Any  # matplotlib is optional

COLOURS = ("#2b6cb0", "#dd6b20", "#2f855a", "#805ad5", "#b83280", "#2c7a7b")
GREY, LIGHT_GREY = "#718096", "#a0aec0"
DPI = 90
STYLE = {"axes.spines.top": False, "axes.spines.right": False}


def subplots(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float], **options: Any
) -> tuple[Figure, Shaped[np.ndarray, "rows columns"]]:
    """An empty figure of a width and height in inches, and its axes, (rows, columns).

    The figure is already closed for pyplot, so a notebook shows it once: as the value of a cell.
    `options` go to `matplotlib.pyplot.subplots`.
    """
    pyplot = import_matplotlib("matplotlib.pyplot")
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(
            rows, columns, figsize=size, dpi=DPI, squeeze=False, layout="constrained", **options
        )
    pyplot.close(figure)
    return figure, axes


def import_matplotlib(module: str) -> ModuleType:
    """A module of matplotlib; ModuleNotFoundError, with what to install, where it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Plots need matplotlib; {error.name} is not installed. Run: pip install matplotlib"
        ) from None


def colour(i: int) -> str:
    """The colour of curve or class i; they repeat after the last."""
    return COLOURS[i % len(COLOURS)]
