"""Texts as HTML tables, with marks on the characters that changed."""

import html
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Integer
from numpy.typing import ArrayLike

from amd_jax.facts import TextFacts
from amd_jax.pages import texts
from amd_jax.plotting.html import Html

WIDTH = 64  # characters of a line
LEFT = "text-align:left"


def text_table(
    facts: TextFacts,
    rows: Mapping[str, ArrayLike],
    marks: Mapping[str, ArrayLike] | None = None,
    width: int = WIDTH,
) -> Html:
    """A table of texts under their titles, with highlighted characters.

    `rows` holds tokens (L,) by title. `marks`, bool (L,), says which tokens of a row are
    highlighted; a row without marks is plain.
    """
    marks = marks or {}
    if unknown := marks.keys() - rows.keys():
        raise ValueError(f"Marks belong to a row; got marks for {', '.join(sorted(unknown))}.")
    result = []
    for title, tokens in rows.items():
        x = np.asarray(tokens)
        marked = np.asarray(marks.get(title, np.zeros(x.shape, bool)))
        result.append((title, _lines(facts, x, marked, width)))
    return _table(result)


def text_chain(facts: TextFacts, states: Iterable[tuple[float, ArrayLike]], row: int = 0) -> Html:
    """The states of a denoising chain; marked is what differs from the state before.

    `states` are pairs of a time and tokens (B, L), as `model.walk` yields them, of which one
    `row` is shown.
    """
    result, before = [], None
    for t, batch in states:
        x = np.asarray(batch)[row]
        marked = np.zeros(x.shape, bool) if before is None else x != before
        result.append((f"t = {t:.2f}", _lines(facts, x, marked)))
        before = x
    return _table(result)


def _table(rows: Sequence[tuple[str, str]]) -> Html:
    """Titles, and texts that are HTML already."""
    cells = (
        f"<tr><th>{html.escape(title)}</th>\n<td style={LEFT}><pre>{lines}</pre></td></tr>"
        for title, lines in rows
    )
    return Html("<table>\n{}\n</table>".format("\n".join(cells)), f"<{len(rows)} texts>")


def _lines(
    facts: TextFacts,
    x: Integer[np.ndarray, "L"],
    marked: Bool[np.ndarray, "L"],
    width: int = WIDTH,
) -> str:
    """A text as escaped HTML lines of `width` tokens, with <mark> around what is marked."""
    pieces = [texts.in_one_line(piece) for piece in facts.pieces(x)]
    marks = np.where(marked, "changed", "").tolist()
    lines = (
        texts.marked(pieces[i : i + width], marks[i : i + width])
        for i in range(0, len(pieces), width)
    )
    return "\n".join("".join(map(_markup, line)) for line in lines)


def _markup(piece: texts.Piece) -> str:
    escaped = html.escape(piece.text)
    return f"<mark>{escaped}</mark>" if piece.mark else escaped
