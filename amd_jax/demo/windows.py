"""Cuts a text into windows of a few lengths, so that few programs are compiled."""

import itertools
from typing import NamedTuple

SHORTEST = 8  # tokens of a window; a shorter text is a window of its own length


class Window(NamedTuple):
    """A part of a text that a model sees at once, and the part of its result that is kept.

    `kept` counts from the start of the text, as `seen` does.
    """

    seen: slice
    kept: slice


def windows(size: int, length: int) -> list[Window]:
    """Windows over a text of `size` tokens, for a model of rows of `length`.

    All have the same length: `length` halved until the text is at least as long. Nothing is
    padded. A filler would be read as part of the text and change what becomes of the tokens next
    to it; a window holds tokens of the text only. The model reads a window as it reads a row: its
    ends are where nothing more is known, which holds for rows that are cut out of longer texts.
    So each result is the model's for the tokens of the window, exactly. It differs from that for
    the whole text only by what lies outside the window. Windows overlap by half, and each token is
    taken from the one that reaches furthest beyond it: to the end of the text, or a quarter of
    the window at least.
    """
    width = length
    while width > size and width // 2 >= SHORTEST:
        width //= 2
    width = min(width, size)
    starts = [*range(0, size - width, max(1, width // 2)), size - width]
    middles = [(a + b + width) // 2 for a, b in itertools.pairwise(starts)]
    kept = itertools.pairwise([0, *middles, size])
    return [
        Window(slice(start, start + width), slice(first, last))
        for start, (first, last) in zip(starts, kept, strict=True)
    ]
