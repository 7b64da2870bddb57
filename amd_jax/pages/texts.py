"""Texts on a page: shown whatever characters they hold, and marked where they changed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LIMIT = 20_000  # characters of one text on a page
SURROGATE = "\ufffd"
PICTURES = 0x2400  # of the control characters, in their order
FORMATS = {0x061C, *range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
SIGNS = {
    **{code: PICTURES + code for code in range(0x20) if chr(code) not in "\n\t"},
    **dict.fromkeys(range(0x7F, 0xA0), SURROGATE),
    **{0x7F: 0x2421},
    **dict.fromkeys(range(0xD800, 0xE000), SURROGATE),
    **dict.fromkeys(FORMATS, SURROGATE),  # they would turn round what stands after them
}
ONE_LINE = {ord("\n"): "⏎", ord("\t"): "␉"}


class Piece(NamedTuple):
    """A part of a text, and its mark: "changed", "wrong", or "" for none."""

    text: str
    mark: str


def shown(text: object) -> str:
    """A text as a page can hold it: a sign in the place of each control character and surrogate.

    Line ends and tabs stay. Letters of any script stay, from right to left too.
    """
    return str(text).translate(SIGNS)


def in_one_line(text: str) -> str:
    """A text as `shown`, with signs for line ends and tabs as well."""
    return shown(text).translate(ONE_LINE)


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
    found: list[Piece] = []
    pending = ""
    for piece, mark in zip(pieces, marks, strict=True):
        pending = mark or pending
        if not piece:
            continue
        if found and found[-1].mark == pending:
            found[-1] = Piece(found[-1].text + piece, pending)
        else:
            found.append(Piece(piece, pending))
        pending = ""
    return found


def marks(before: np.ndarray, after: np.ndarray, truth: np.ndarray | None) -> list[str]:
    """The mark of each token of a row (L,) that was corrected.

    "wrong" where it is not as it should be, which needs the truth; else "changed" where it is not
    what it was before; else "".
    """
    found = np.where(before != after, "changed", "")
    if truth is not None:
        found = np.where(after != truth, "wrong", found)
    return found.tolist()
