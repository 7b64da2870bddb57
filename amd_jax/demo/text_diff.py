"""Marks the differences between two texts, for the page."""

from collections.abc import Iterator

import numpy as np

from amd_jax.facts import UNKNOWN_SIGN, Json, LineFacts, TextFacts
from amd_jax.pages import texts

LONGEST_WORD = 40  # characters; of a longer one, as where there are no spaces, the changed parts
PRINTABLE = "".join(map(chr, range(32, 127)))


def edited(facts: TextFacts, text: str, before: np.ndarray, after: np.ndarray) -> Json:
    """An edited text in pieces (text, mark, what stood there), and what is to be said of it.

    The mark is "changed" of a word with a change in it, "kept" of characters that the alphabet
    lacks, or "". `before` and `after` are tokens (L,).
    """
    given, pieces = facts.pieces(before), facts.pieces(after)
    known = facts.known(text) if len(text) == len(pieces) else [True] * len(pieces)
    for i in range(len(pieces)):
        if not known[i]:
            given[i] = pieces[i] = text[i]
    changed = np.array([was != now for was, now in zip(given, pieces, strict=True)])
    marks = np.where(known, "", "kept").astype(object)
    for word in words(given, pieces):
        for part in [word] if word.stop - word.start <= LONGEST_WORD else runs(changed, word):
            if changed[part].any():
                marks[part] = "changed"
    result = [
        [*("".join(side[part]) for side in (pieces, given)), marks[part.start]]
        for part in runs(marks, slice(0, len(marks)))
    ]
    return {
        "kind": "edited",
        "pieces": [[texts.shown(now), mark, texts.shown(was)] for now, was, mark in result],
        "text": "".join(pieces),
        "changed": int(changed.sum()),
        "words": [mark for _, _, mark in result].count("changed"),
        "foreign": len(known) - sum(known),
    }


def words(given: list[str], pieces: list[str]) -> Iterator[slice]:
    """Where words are, and what lies between them: all of a text, of a piece for each token.

    A word ends at white space that has not changed, so that one that was split or joined is one.
    """
    blank = np.array([a == b and a.isspace() for a, b in zip(given, pieces, strict=True)])
    return runs(blank, slice(0, len(blank)))


def runs(values: np.ndarray, part: slice) -> Iterator[slice]:
    """The slices of a part of an array (L,) in which neighbours are equal."""
    start = part.start
    for stop in range(part.start + 1, part.stop + 1):
        if stop == part.stop or values[stop] != values[start]:
            yield slice(start, stop)
            start = stop


def damaged(facts: TextFacts, text: str, rate: float, seed: int) -> str:
    """A text in which a share of the characters that have a token are replaced at random."""
    rng = np.random.default_rng(seed)
    signs = PRINTABLE if facts.symbols is None else facts.symbols
    signs = "".join(sign for sign in signs if sign.isprintable() and sign != UNKNOWN_SIGN)
    start = len(text) - len(facts.read(text)[1]) if isinstance(facts, LineFacts) else 0
    places = [i for i, sign in enumerate(text) if i >= start and sign in signs]
    if not places or len(signs) < 2:
        raise ValueError("The text has no character that could be replaced. Type some words.")
    result = list(text)
    for i in rng.choice(places, max(1, round(rate * len(places))), replace=False):
        step = int(rng.integers(1, len(signs)))
        result[i] = signs[(signs.index(text[i]) + step) % len(signs)]
    return "".join(result)


def filled(
    facts: TextFacts, given: np.ndarray, wanted: np.ndarray, drawn: np.ndarray, name: str
) -> Json:
    """A filling of a text in pieces (text, mark), as far as it was given, under a name.

    drawn (L,) are tokens; given and wanted bool (L,). What was wanted has the mark "changed".
    """
    pieces = facts.pieces(drawn[given])
    marks = np.where(wanted[given], "changed", "").tolist()
    result = [[texts.shown(text), mark] for text, mark in texts.marked(pieces, marks)]
    return {"name": name, "pieces": result, "text": "".join(pieces)}
