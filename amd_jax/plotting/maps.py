"""Segmentation maps in their colours: grids with a legend, chains, films."""

import base64
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from amd_jax.evaluation import pictures
from amd_jax.facts import MapFacts
from amd_jax.plotting.canvas import Figure, import_matplotlib, subplots
from amd_jax.plotting.html import Html
from amd_jax.types import Array

Maps = Integer[Array, "N H W"]
TILE = 2.4  # inches, the width of a map


def map_grid(
    facts: MapFacts, panels: Mapping[str, Maps], *, columns: int = 4, legend: bool = False
) -> Figure:
    """Maps (N, H, W) in rows of `columns`, the first of each panel under the panel's title.

    A legend names the categories that occur.
    """
    palette = pictures.Palette.of(facts.colours)
    tiles = [
        (title if i == 0 else "", pixels)
        for title, maps in panels.items()
        for i, pixels in enumerate(pictures.coloured(facts.maps(maps), palette))
    ]
    rows, (height, width) = math.ceil(len(tiles) / columns), facts.map_shape
    size = (TILE * columns, rows * (TILE * height / width + 0.25) + 0.35 * legend)
    figure, axes = subplots(rows, columns, size=size)
    for panel in axes.flat:
        panel.axis("off")
    for panel, (title, pixels) in zip(axes.flat, tiles, strict=False):
        panel.imshow(pixels, interpolation="nearest")
        panel.set_title(title, loc="left", size=10)
    if legend:
        _add_legend(figure, facts, panels)
    return figure


def map_chain(
    facts: MapFacts, states: Iterable[tuple[float, Maps]], *, number: int = 8, columns: int = 4
) -> Figure:
    """The first map of about `number` states of a denoising chain, evenly spaced.

    `states` are pairs of a time and maps (N, H, W), as `model.walk` yields them.
    """
    states = list(states)
    chosen = np.linspace(0, len(states) - 1, min(number, len(states))).round().astype(int)
    return map_grid(
        facts, {f"t = {states[i][0]:.2f}": states[i][1][:1] for i in chosen}, columns=columns
    )


def map_film(
    facts: MapFacts,
    states: Iterable[tuple[float, Maps]],
    path: str | Path,
    *,
    columns: int = 2,
    width: int = 520,
) -> Html:
    """Saves the states of a chain as an animated GIF at `path`, and shows it `width` pixels wide.

    `states` are as in `map_chain`; all N maps are in the film.
    """
    path, palette = Path(path), pictures.Palette.of(facts.colours)
    frames = [pictures.grid(facts.maps(x), palette, columns=columns, side=128) for _, x in states]
    pictures.write_gif(frames, path)
    encoded = base64.b64encode(path.read_bytes()).decode()
    description = f"{len(frames)} frames of maps, from noise to samples"
    return Html(
        f'<img src="data:image/gif;base64,{encoded}" width="{width}" '
        f'style="image-rendering:pixelated" alt="{description}">',
        f"<{description}>",
    )


def _add_legend(figure: Figure, facts: MapFacts, panels: Mapping[str, Maps]) -> None:
    """Names the categories that occur, below the maps."""
    patches = import_matplotlib("matplotlib.patches")
    occurring = np.unique(np.concatenate([np.ravel(facts.maps(maps)) for maps in panels.values()]))
    names = facts.names or tuple(map(str, range(facts.categories)))
    handles = [
        patches.Patch(color=facts.colours[k] / 255, label=names[k])
        for k in occurring.tolist()
        if 0 <= k < facts.categories
    ]
    figure.legend(
        handles=handles, ncol=8, loc="outside lower center", frameon=False, columnspacing=1
    )
