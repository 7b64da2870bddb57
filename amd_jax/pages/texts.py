"""Texts on a page: escaped whatever they hold, and marked where they changed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from amd_jax.host.printable import in_one_line, shown

__all__ = ["LIMIT", "Piece", "cut", "in_one_line", "marked", "marks", "shown"]

LIMIT = 20_000  # characters of one text on a page


class Piece(NamedTuple):
    """A part of a text, and its mark: "changed", "wrong", or "" for none."""

    text: str
    mark: str


def cut(text: str, limit: int = LIMIT) -> str:
    """The first characters of a text; with how many more there are, if there are."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… and {len(text) - limit:,} characters more"


def marked(pieces: Sequence[str], marks: Sequence[str]) -> list[Piece]:
    """What each token adds to a text, and its mark; neighbours with one mark are joined.

    A token that adds nothing, as the first byte of a character of several, leaves its mark to the
    next.
    """
    result: list[Piece] = []
    pending = ""
    for piece, mark in zip(pieces, marks, strict=True):
        pending = mark or pending
        if not piece:
            continue
        if result and result[-1].mark == pending:
            result[-1] = Piece(result[-1].text + piece, pending)
        else:
            result.append(Piece(piece, pending))
        pending = ""
    return result


def marks(before: np.ndarray, after: np.ndarray, truth: np.ndarray | None) -> list[str]:
    """The mark of each token of a row (L,) that was corrected.

    "wrong" where it is not as it should be, which needs the truth; else "changed" where it is not
    what it was before; else "".
    """
    result = np.where(before != after, "changed", "")
    if truth is not None:
        result = np.where(after != truth, "wrong", result)
    return result.tolist()
