"""Count models of lines: `count_models` in which no line knows another, and the end counts."""

import numpy as np
from jaxtyping import Bool, Float, Integer

from amd_jax.evaluation import count_models
from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.facts import LineFacts

Train = Integer[np.ndarray, "T *event"]

LIMIT = 5_000_000  # tokens of training lines that a model is fitted to


def bits_of_rows(facts: LineFacts, train: Train, rows: Rows, order: int) -> PerRow:
    """Bits of lines (M, L), their ends and labels included, over characters and ends.

    Each token of a line, and its end, is given the `order` tokens before it: the label, if there
    are any, and padding before the line begins. So probabilities of all lines sum to one.
    """
    bits, owners = bits_of_tokens(facts, train, rows, order)
    return PerRow(np.bincount(owners, bits, minlength=len(rows)), facts.lengths(rows))


def bits_of_tokens(
    facts: LineFacts, train: Train, rows: Rows, order: int
) -> tuple[Float[np.ndarray, "S"], Integer[np.ndarray, "S"]]:
    """Bits of each token and end of lines (M, L), one line after the other, and whose they are."""
    stream, counted, _ = _text(facts, train, order)
    test, measured, owners = _text(facts, rows, order)
    p = count_models.probabilities(stream, test, facts.num_classes, order, counted)
    return -np.log2(p[measured]), owners[measured]


def fitted(facts: LineFacts, train: Train, limit: int = LIMIT) -> Rows:
    """The first training lines, of `limit` tokens in all at most."""
    lengths = np.cumsum(facts.sizes(train))
    return train[: int(np.searchsorted(lengths, limit, side="right"))]


def _text(
    facts: LineFacts, x: Rows, order: int
) -> tuple[Stream, Bool[np.ndarray, "T"], Integer[np.ndarray, "T"]]:
    """Lines one after the other: `order` times padding, the line, and padding once.

    Beside it, which tokens are of a line or its end, and whose line they are of.
    """
    wide = np.pad(np.asarray(x), ((0, 0), (order, 1)), constant_values=len(facts.symbols))
    places = np.arange(wide.shape[1])
    inside = places < (order + facts.start + facts.sizes(x))[:, None]
    owners, places = np.nonzero(inside)
    return wide[inside].astype(np.int64), places >= order, owners
