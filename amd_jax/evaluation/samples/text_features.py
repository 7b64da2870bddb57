"""Features of texts for a two-sample test: how rows look to n-grams, not what they are about.

N-grams themselves tell the pages of one part of a text from those of another part: a classifier on
their frequencies finds real rows false. So a row is described by the bits that counts of other
text give it, order by order, and by what it repeats of itself.
"""

import numpy as np
from jaxtyping import Bool, Float, Integer

from amd_jax.evaluation import count_models
from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import brier

ORDERS = (0, 1, 2, 3, 4, 6)
GRAMS = (2, 3, 4, 6, 8)
RARE = 6.0  # bits of a token from which it is a surprise


def of(rows: Rows, fitted: Stream, num_classes: int) -> Float[np.ndarray, "N F"]:
    """Features of rows (N, L), with counts of a text (T,) that is not among them.

    Of each order the mean of a row's bits, their deviation, and the share of tokens that are a
    surprise; of each length of n-grams the share of those in a row that are different. The first
    tokens of a row, whose context is another row, do not count.
    """
    result = []
    for order in ORDERS:
        p = count_models.probabilities(fitted, rows.ravel(), num_classes, order)
        bits = -np.log2(p).reshape(rows.shape)[:, min(ORDERS[-1], rows.shape[1] // 2) :]
        result += [bits.mean(axis=1), bits.std(axis=1), (bits > RARE).mean(axis=1)]
    result += [distinct(rows, gram) for gram in GRAMS if gram <= rows.shape[1]]
    return np.stack(result, axis=1)


def distinct(
    rows: Integer[np.ndarray, "N L"], gram: int, inside: Bool[np.ndarray, "N L"] | None = None
) -> Float[np.ndarray, "N"]:
    """The share of different ones among the n-grams of each row, or of those `inside` it.

    1 where there are none.
    """
    wide = rows.astype(np.int64)
    codes = wide
    for n in range(1, gram):
        _, numbers = np.unique(codes, return_inverse=True)  # anew each time: no overflow
        numbers = numbers.reshape(codes.shape)[:, :-1]
        codes = numbers * (wide.max() + 1) + wide[:, n:]
    whole = brier.together(np.ones(rows.shape, bool) if inside is None else inside, gram)
    ordered, outside = np.sort(np.where(whole, codes, codes.max() + 1), axis=1), ~whole.all(axis=1)
    kinds = 1 + (np.diff(ordered, axis=1) > 0).sum(axis=1) - outside
    return np.where(whole.any(axis=1), kinds / np.maximum(whole.sum(axis=1), 1), 1.0)
