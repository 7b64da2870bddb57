"""Lines that are nonsense by construction, made from real lines: as `text_nonsense`.

Each takes rows (N, L) of real lines. Labels stay, and so do the lengths of lines, but for counts.
"""

import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Integer

from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import text_nonsense
from amd_jax.evaluation.samples.real_rows import Nonsense
from amd_jax.evaluation.samples.text_nonsense import ORDER
from amd_jax.facts import LineFacts

PIECES = 4  # of a line of mean length


def independent(facts: LineFacts, rows: Rows, rng: np.random.Generator) -> Rows:
    """Tokens of the lines, each drawn alone."""
    return _with_tokens(facts, rows, lambda tokens: rng.choice(tokens, len(tokens)))


def counts(facts: LineFacts, rows: Rows, rng: np.random.Generator) -> Rows:
    """Draws from the counts of lines: each token or end as after the `ORDER` tokens before it."""
    x = text_nonsense.continued(stream(facts, rows), begin(facts, rows), rows.shape[1], rng)
    inside = np.arange(x.shape[1]) < (facts.start + facts.sizes(x) - 1)[:, None]
    return np.where(inside, x, len(facts.symbols)).astype(rows.dtype)


def shuffled(facts: LineFacts, rows: Rows, rng: np.random.Generator) -> Rows:
    """The tokens of each line in another order."""
    places = np.arange(rows.shape[1])
    ends = np.where(places < facts.start, -1.0, 2.0)  # labels stay in front, padding behind
    keys = np.where(facts.inside(rows), rng.random(rows.shape), ends)
    return np.take_along_axis(rows, np.argsort(keys, axis=1), axis=1)


def pasted(facts: LineFacts, rows: Rows, rng: np.random.Generator) -> Rows:
    """Pieces of the lines in another order: `PIECES` for a line of mean length."""
    size = max(2, round(facts.inside(rows).sum(axis=1).mean() / PIECES))
    return _with_tokens(facts, rows, lambda tokens: text_nonsense.pasted(tokens, rng, size))


def samplers(facts: LineFacts) -> dict[str, Nonsense]:
    """All of them by name."""
    return {
        f"independent {facts.token}s": functools.partial(independent, facts),
        f"counts of order {ORDER}": functools.partial(counts, facts),
        f"shuffled {facts.token}s": functools.partial(shuffled, facts),
        "pasted pieces": functools.partial(pasted, facts),
    }


def stream(facts: LineFacts, rows: Rows) -> Stream:
    """Lines one after the other, `ORDER` times padding before each: that of the next ends it."""
    wide = np.concatenate([begin(facts, rows), rows], axis=1)
    return wide[np.arange(wide.shape[1]) < (ORDER + facts.start + facts.sizes(rows) - 1)[:, None]]


def begin(facts: LineFacts, rows: Rows) -> Integer[np.ndarray, "N C"]:
    """What is before each line: `ORDER` times padding."""
    return np.full((len(rows), ORDER), len(facts.symbols), rows.dtype)


def filled(
    facts: LineFacts,
    rows: Rows,
    hidden: Bool[np.ndarray, "N L"],
    source: Integer[np.ndarray, "M L"],
    rng: np.random.Generator,
) -> Rows:
    """Rows whose gaps hold runs of the tokens of other lines, from a place at random."""
    tokens, result = source[facts.inside(source)], rows.copy()
    result[hidden] = np.resize(np.roll(tokens, rng.integers(len(tokens))), hidden.sum())
    return result


def _with_tokens(facts: LineFacts, rows: Rows, make: Callable[[Stream], Stream]) -> Rows:
    """Lines of the same lengths whose tokens, line after line, are made of those there."""
    inside, result = facts.inside(rows), rows.copy()
    result[inside] = make(rows[inside])
    return result
