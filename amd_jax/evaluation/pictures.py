"""Label maps as PNG and GIF, and distances between maps of a model and real ones."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer, UInt8
from PIL import Image, ImageDraw

from amd_jax.host import filesystem
from amd_jax.ops import integers

Maps = Integer[np.ndarray, "N H W"]  # of categories, or of codes that stand for none
Colour = UInt8[np.ndarray, "3"]

SIDE = 256  # pixels of the longer side of a map, at most
GAP, TITLE = 4, 16  # pixels
FRAME, LAST = 200, 2000  # milliseconds
MAGENTA, GREY = (255, 0, 255), (128, 128, 128)
DISTINCT = 60  # of 442 between black and white: the least distance that an eye sees at once


class Palette(NamedTuple):
    """Colours of what a pixel may hold, uint8."""

    categories: UInt8[np.ndarray, "K 3"]
    unused: Colour  # of codes that stand for no class
    noise: Colour  # of states that are noise only

    @classmethod
    def of(cls, categories: Integer[np.ndarray, "K 3"]) -> "Palette":
        """A palette with these colours of categories, and two for what is no category.

        Magenta and grey; or where the categories have such colours, those that are farthest.
        """
        unused = _apart(MAGENTA, categories)
        noise = _apart(GREY, np.concatenate([categories, unused[None]]))
        return cls(np.asarray(categories, np.uint8), unused, noise)


def _apart(wanted: tuple[int, int, int], others: Integer[np.ndarray, "N 3"]) -> Colour:
    """The colour that is wanted, or if it is nearly one of the others, the farthest from them."""
    candidates = np.array([wanted, *itertools.product(np.linspace(0, 255, 7), repeat=3)])
    distance = np.linalg.norm(candidates[:, None] - others, axis=-1).min(axis=1)
    return candidates[0 if distance[0] > DISTINCT else distance.argmax()].astype(np.uint8)


def coloured(rows: Maps, palette: Palette) -> UInt8[np.ndarray, "N H W 3"]:
    """States, categories or not, in their colours."""
    colours = np.concatenate([palette.unused[None], palette.categories, palette.noise[None]])
    return colours[(rows.astype(int) - integers.UNUSED).clip(0, len(colours) - 1)]


def grid(
    rows: Maps, palette: Palette, columns: int | None = None, side: int = SIDE
) -> Image.Image:
    """Maps as one picture, line by line.

    Every pixel becomes a square, and the longer side of a map about `side` pixels. Without a
    number of columns there are about as many as lines.
    """
    scale = max(1, side // max(rows.shape[1:]))
    x = coloured(rows, palette).repeat(scale, axis=1).repeat(scale, axis=2)
    height, width = x.shape[1] + GAP, x.shape[2] + GAP
    columns = columns or math.ceil(math.sqrt(len(x)))
    lines = math.ceil(len(x) / columns)
    canvas = np.full((lines * height - GAP, columns * width - GAP, 3), 255, np.uint8)
    for i, pixels in enumerate(x):
        top, left = i // columns * height, i % columns * width
        canvas[top : top + height - GAP, left : left + width - GAP] = pixels
    return Image.fromarray(canvas)


def side_by_side(pictures: Mapping[str, Image.Image], gap: int = 3 * GAP) -> Image.Image:
    """Pictures from left to right, each with its title above."""
    width = sum(picture.width + gap for picture in pictures.values()) - gap
    height = TITLE + max(picture.height for picture in pictures.values())
    canvas, left = Image.new("RGB", (width, height), "white"), 0
    draw = ImageDraw.Draw(canvas)
    for title, picture in pictures.items():
        canvas.paste(picture, (left, TITLE))
        draw.text((left, 2), title, fill="black")
        left += picture.width + gap
    return canvas


def in_rows(pictures: Mapping[str, Image.Image], columns: int) -> Image.Image:
    """As `side_by_side`, so many in a row."""
    named = list(pictures.items())
    starts = range(0, len(named), columns)
    rows = [side_by_side(dict(named[start : start + columns])) for start in starts]
    size = max(row.width for row in rows), sum(row.height + 3 * GAP for row in rows)
    canvas, top = Image.new("RGB", size, "white"), 0
    for row in rows:
        canvas.paste(row, (0, top))
        top += row.height + 3 * GAP
    return canvas


def write(picture: Image.Image, path: Path, **options) -> None:
    """Saves a picture in the format of its suffix; it is at `path` once it is whole."""
    with filesystem.draft(path) as file:
        picture.save(file, path.suffix[1:], **options)


def write_panels(
    panels: Mapping[str, Maps],
    palette: Palette,
    path: Path,
    columns: int | None = None,
    side: int = SIDE,
) -> None:
    """Saves a `grid` of each panel's maps, side by side under their titles."""
    grids = {title: grid(rows, palette, columns, side) for title, rows in panels.items()}
    write(side_by_side(grids), path)


def write_gif(frames: Sequence[Image.Image], path: Path) -> None:
    """Saves frames of one size as a film without end, which rests at the last."""
    times = [FRAME] * (len(frames) - 1) + [LAST]
    write(frames[0], path, save_all=True, append_images=frames[1:], duration=times, loop=0)


def neighbour_distance(x: Maps, y: Integer[np.ndarray, "M H W"], num_classes: int) -> float:
    """How far the neighbourhoods in two sets of maps differ, in [0, 1]: a measure of samples.

    The mean over d = right, below of

        1/2 Σ_ab |p_x^d(a, b) - p_y^d(a, b)|,

    where p_x^d(a, b) is the share, among the pixels in x with a neighbour in direction d, of those
    with category a whose neighbour has b: the total variation distance of two joint laws. It is
    not 0 for two samples of one law either: compare with the distance of other real maps.

    `integers.UNUSED` counts as one more category.
    """
    pairs = [neighbours(maps, num_classes) for maps in (x, y)]
    return float(0.5 * np.abs(pairs[0] - pairs[1]).sum(axis=1).mean())


def neighbours(maps: Maps, num_classes: int) -> Float[np.ndarray, "2 pairs"]:
    """Joint laws of a pixel and the one right of it, and the one below: of (K + 1)² pairs.

    The first category is `integers.UNUSED`. A direction without neighbours is all zeros.
    """
    maps, k = maps.astype(int) - integers.UNUSED, num_classes + 1
    pairs = ((maps[:, :, :-1], maps[:, :, 1:]), (maps[:, :-1], maps[:, 1:]))
    counts = [np.bincount((k * a + b).ravel(), minlength=k * k) for a, b in pairs]
    return np.array([result / max(1, result.sum()) for result in counts])
