"""Marks the differences between two texts, for the page."""

from typing import Any

import numpy as np

from amd_jax.facts import UNKNOWN_SIGN, TextFacts
from amd_jax.pages import texts

PRINTABLE = "".join(map(chr, range(32, 127)))


def edited(facts: TextFacts, text: str, before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """An edited text in pieces (text, mark, what stood there), and what is to be said of it.

    The mark is "changed", "kept" of a character that the alphabet lacks, or "". `before` and
    `after` are tokens (L,).
    """
    given, pieces = facts.pieces(before), facts.pieces(after)
    marks = texts.marks(before, after, None)
    foreign = [] if facts.alphabet is None else facts.known(text)
    for i, known in enumerate(foreign):
        if not known:
            given[i] = pieces[i] = text[i]
            marks[i] = "kept"
    now, then = (texts.marked(one, marks) for one in (pieces, given))
    if len(now) != len(then):  # bytes whose characters begin elsewhere
        then = [texts.Piece("", mark) for _, mark in now]
    pairs = zip(now, then, strict=True)
    result = [[texts.shown(a), mark, texts.shown(b)] for (a, mark), (b, _) in pairs]
    return {
        "kind": "edited",
        "pieces": result,
        "text": "".join(pieces),
        "changed": marks.count("changed"),
        "foreign": marks.count("kept"),
    }


def damaged(facts: TextFacts, text: str, rate: float, seed: int) -> str:
    """A text in which a share of the characters that have a token are replaced at random."""
    rng = np.random.default_rng(seed)
    signs = PRINTABLE if facts.alphabet is None else facts.alphabet
    signs = "".join(sign for sign in signs if sign.isprintable() and sign != UNKNOWN_SIGN)
    places = [i for i, character in enumerate(text) if character in signs]
    if not places or len(signs) < 2:
        raise ValueError("The text has no character that could be replaced. Type some words.")
    result = list(text)
    for i in rng.choice(places, max(1, round(rate * len(places))), replace=False):
        step = int(rng.integers(1, len(signs)))
        result[i] = signs[(signs.index(text[i]) + step) % len(signs)]
    return "".join(result)


def filled(
    facts: TextFacts, given: np.ndarray, wanted: np.ndarray, drawn: np.ndarray, name: str
) -> dict[str, Any]:
    """A filling of a text in pieces (text, mark), as far as it was given, under a name.

    drawn (L,) are tokens; given and wanted bool (L,). What was wanted has the mark "changed".
    """
    pieces = facts.pieces(drawn[given])
    marks = np.where(wanted[given], "changed", "").tolist()
    result = [[texts.shown(text), mark] for text, mark in texts.marked(pieces, marks)]
    return {"name": name, "pieces": result, "text": "".join(pieces)}
