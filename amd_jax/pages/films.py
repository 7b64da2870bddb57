"""Films: the frames of a denoising chain as `film.js` takes them, values of JSON."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from amd_jax.evaluation import pictures
from amd_jax.facts import Facts, MapFacts, TextFacts
from amd_jax.pages import texts

CELLS = 600_000  # of the maps in a film, all frames together; a cell is two bytes or three
Frame = tuple[float, np.ndarray]  # t, and states x (B, ...)


def of(frames: Sequence[Frame], facts: Facts) -> dict[str, Any]:
    """A film of states on their way from noise to data: the first row, or some maps in a line."""
    if isinstance(facts, MapFacts):
        return of_maps(frames, facts)
    return of_rows(frames, facts)


def of_rows(frames: Sequence[Frame], facts: Facts) -> dict[str, Any]:
    """A film of the first row of each state, a piece for each token where it is text."""
    if isinstance(facts, TextFacts):
        shown = [list(map(texts.in_one_line, facts.pieces(x[0]))) for _, x in frames]
    else:
        shown = [[f"{facts.show([token])} " for token in np.ravel(x[0])] for _, x in frames]
    pairs = zip(frames, shown, strict=True)
    return {"kind": "text", "frames": [{"t": float(t), "pieces": p} for (t, _), p in pairs]}


def of_maps(frames: Sequence[Frame], facts: MapFacts) -> dict[str, Any]:
    """A film of maps side by side, as many as there is room for; null is the gap between two."""
    palette = pictures.Palette.of(facts.colours)
    number = max(1, CELLS // (len(frames) * math.prod(facts.event_shape)))
    return {
        "kind": "map",
        "frames": [{"t": float(t), "map": in_a_line(x[:number])} for t, x in frames],
        "palette": palette.categories.tolist(),
        "unused": palette.unused.tolist(),
        "noise": palette.noise.tolist(),
        "names": list(facts.names),
    }


def in_a_line(x: np.ndarray) -> list[list[int | None]]:
    """Maps (N, H, W) side by side, with a column of null between two: H lists."""
    rows: list[list[int | None]] = [[] for _ in range(x.shape[1])]
    for i, pixels in enumerate(x.tolist()):
        for row, line in zip(rows, pixels, strict=True):
            row += [None] * (i > 0) + line
    return rows
