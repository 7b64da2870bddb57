"""Films: frames of a denoising chain as JSON for `film.js`."""

import math
from collections.abc import Sequence

import numpy as np

from amd_jax.evaluation import pictures
from amd_jax.facts import Facts, Json, MapFacts, TableFacts, TextFacts, TokenFacts
from amd_jax.pages import texts

CELLS = 600_000  # of the maps in a film, all frames together; a cell is two bytes or three
MAPS = 4
TOKENS = 400_000  # of a text, all frames together
Frame = tuple[float, np.ndarray]  # t, and states x (B, ...)


def of(frames: Sequence[Frame], facts: Facts) -> Json:
    """A film of states on their way from noise to data: the first row, or some maps."""
    if isinstance(facts, MapFacts):
        return of_maps(frames, facts)
    return of_rows(frames, facts)


def of_rows(frames: Sequence[Frame], facts: Facts) -> Json:
    """A film of the first row of each state, or the beginning of it: a piece for each token."""
    length = TOKENS // len(frames)
    rows = [(float(t), np.ravel(x[0])[:length]) for t, x in frames]
    return {"kind": "text", "frames": [{"t": t, "pieces": pieces(x, facts)} for t, x in rows]}


def pieces(x: np.ndarray, facts: Facts) -> list[str]:
    """What each token of a row (L,) shows, without line ends."""
    if isinstance(facts, TextFacts | TokenFacts | TableFacts):
        return list(map(texts.in_one_line, facts.pieces(x)))
    return [f"{facts.show([token])} " for token in x]


def of_maps(frames: Sequence[Frame], facts: MapFacts) -> Json:
    """A film of maps beside each other, as many as there is room for: at most `MAPS`."""
    palette = pictures.Palette.of(facts.colours)
    room = CELLS // (len(frames) * math.prod(facts.event_shape))
    number = max(1, min(MAPS, room))
    return {
        "kind": "map",
        "frames": [{"t": float(t), "map": tiled(facts.maps(x[:number]))} for t, x in frames],
        "palette": palette.categories.tolist(),
        "unused": palette.unused.tolist(),
        "noise": palette.noise.tolist(),
        "names": list(facts.names),
    }


def tiled(x: np.ndarray) -> list[list[int | None]]:
    """Maps (N, H, W) in a square, with null between two and where there is none."""
    columns = math.ceil(math.sqrt(len(x)))
    height, width = x.shape[1] + 1, x.shape[2] + 1
    lines = math.ceil(len(x) / columns)
    result: list[list[int | None]] = [
        [None] * (columns * width - 1) for _ in range(lines * height)
    ]
    for i, pixels in enumerate(x.tolist()):
        top, left = i // columns * height, i % columns * width
        for j, row in enumerate(pixels):
            result[top + j][left : left + width - 1] = row
    return result[:-1]
