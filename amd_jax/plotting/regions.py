"""The regions of an argmax, and vectors in them."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.plotting.canvas import LIGHT_GREY, Axes, Figure, colour, import_matplotlib, subplots
from amd_jax.types import Array

Vectors = Float[Array, "N K"]
Points = Float[np.ndarray, "N 2"]
REACH = 4.5  # of the axes, from the origin
SIDE = 3.7  # inches
ARROWS = 25  # vectors whose way is drawn
TINT = 0.13  # opacity of a region
VIEW = np.array([[-1, 1, 0], [-1, -1, 2]]) / np.sqrt([[2], [6]])  # R^3 seen along (1, 1, 1)


def argmax_regions(
    panels: Mapping[str, Vectors],
    names: Sequence[str],
    *,
    before: Mapping[str, Vectors] | None = None,
) -> Figure:
    """Vectors v (N, K) with K = 2 or 3, in the colour of the class argmax_k v_k.

    Three classes are seen along (1, 1, 1), which does not change an argmax. `before` holds, for
    the titles of some panels, vectors (N, K) that were mapped to those of the panel: they are
    grey, and lines show where some of them went. Raises ValueError for another K.
    """
    figure, axes = subplots(1, len(panels), size=(SIDE * len(panels), SIDE + 0.2))
    for panel, (title, vectors) in zip(axes[0], panels.items(), strict=True):
        v = np.asarray(vectors)
        _draw_regions(panel, v.shape[1], names)
        if before and title in before:
            _draw_moves(panel, _seen(np.asarray(before[title])), _seen(v))
        _scatter(panel, _seen(v), v.argmax(axis=1), names)
        panel.set_title(title)
    return figure


def digit_regions(v: Float[Array, "N 2"], x: Integer[Array, "N"], names: Sequence[str]) -> Figure:
    """Vectors of two binary digits in the colours of their classes x, by signs.

    The first sign is the high bit of the class; a quadrant beyond the last name belongs to no
    class.
    """
    patches = import_matplotlib("matplotlib.patches")
    figure, axes = subplots(size=(SIDE, SIDE + 0.2))
    panel = axes[0, 0]
    for code in range(4):
        corner = REACH * (2 * np.array(divmod(code, 2)) - 1)
        used = code < len(names)
        panel.add_patch(
            patches.Rectangle(
                (0, 0),
                *corner,
                facecolor=colour(code) if used else LIGHT_GREY,
                alpha=TINT if used else 2 * TINT,
                hatch=None if used else "///",
            )
        )
        if not used:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
            panel.text(*(corner / 2), "no class", ha="center", va="center", bbox=box)
    _scatter(panel, np.asarray(v), np.asarray(x), names)
    panel.set(xlabel="$v_1$ (first bit)", ylabel="$v_2$ (second bit)", aspect="equal")
    panel.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH))
    return figure


def _seen(v: Float[np.ndarray, "N K"]) -> Points:
    """Vectors in the plane of the drawing."""
    return v @ VIEW.T if v.shape[1] == 3 else v


def _draw_regions(panel: Axes, num_classes: int, names: Sequence[str]) -> None:
    """Tints the region of each class: the sides of a diagonal, or three sectors."""
    if num_classes not in (2, 3):
        raise ValueError(f"Regions are drawn of 2 or 3 classes; got {num_classes}.")
    patches = import_matplotlib("matplotlib.patches")
    corners = _sectors() if num_classes == 3 else _halves()
    for k, region in enumerate(corners):
        panel.add_patch(patches.Polygon(region, color=colour(k), alpha=TINT, lw=0))
    panel.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
    if num_classes == 2:
        panel.set(xlabel=f"$v_{names[0]}$", ylabel=f"$v_{names[1]}$")
        return
    panel.set(xticks=[], yticks=[], xlabel="seen along (1, 1, 1)")
    for k, tip in enumerate(0.8 * REACH * VIEW.T / np.linalg.norm(VIEW.T, axis=1)[:, None]):
        panel.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "->", "color": colour(k)})
        panel.text(
            1.1 * tip[0],
            1.1 * tip[1],
            names[k],
            color=colour(k),
            ha="center",
            va="center",
            size=13,
        )


def _halves() -> Float[np.ndarray, "2 3 2"]:
    """Corners of the regions of two classes."""
    diagonal = [(-REACH, -REACH), (REACH, REACH)]
    return np.array([[*diagonal, (REACH, -REACH)], [*diagonal, (-REACH, REACH)]])


def _sectors() -> Float[np.ndarray, "3 4 2"]:
    """Corners of the regions of three classes; the borders lie opposite the other axes."""
    tips = 3 * REACH * VIEW.T
    sectors = [(np.zeros(2), -tips[k - 1], tips[k], -tips[k - 2]) for k in range(3)]
    return np.array(sectors)


def _draw_moves(panel: Axes, start: Points, end: Points) -> None:
    """Grey points, and lines from the first of them to where they went."""
    panel.scatter(start[:, 0], start[:, 1], s=4, color=LIGHT_GREY, alpha=0.5, lw=0)
    for line in np.stack([start, end], axis=1)[:ARROWS]:
        panel.plot(*line.T, color="#4a5568", lw=0.6, alpha=0.6)


def _scatter(
    panel: Axes,
    points: Points,
    x: Integer[np.ndarray, "N"],
    names: Sequence[str],
) -> None:
    """Points in the colours of their classes, and a legend with the share of each class."""
    for k in np.unique(x).tolist():
        inside, label = x == k, f"{names[k]}: {np.mean(x == k):.0%}"
        a, b = points[inside].T
        panel.scatter(a, b, s=5, color=colour(k), alpha=0.6, lw=0, label=label)
    panel.legend(loc="upper left", markerscale=2)
