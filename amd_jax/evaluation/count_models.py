"""Count models of texts (n-grams) and of maps: baselines for a network.

Interpolated Witten-Bell smoothing (Witten and Bell, 1991, method C; Chen and Goodman, 1999). For
a context h seen N times, before T distinct symbols, and h' the context without its first symbol,

    p(x | h) = (count(h x) + T p(x | h')) / (N + T),

down to the uniform law below order 0; a context never seen has p(x | h) = p(x | h').
"""

import numpy as np
from jaxtyping import Bool, Float, Integer

from amd_jax.evaluation.means import PerRow

Stream = Integer[np.ndarray, "T"]  # of tokens
Test = Integer[np.ndarray, "M L"]  # rows of tokens, in the order of the text
Maps = Integer[np.ndarray, "N H W"]  # of categories


def bits_per_char(
    train: Stream, test_rows: Test, num_classes: int, order: int
) -> tuple[float, float]:
    """Bits per symbol on the test rows, and its standard error: the mean of `bits_of_rows`."""
    return bits_of_rows(train, test_rows, num_classes, order).mean()


def bits_of_rows(train: Stream, test_rows: Test, num_classes: int, order: int) -> PerRow:
    """Bits of each test row; `order` symbols condition the next, across the borders of rows."""
    p = probabilities(train, np.ravel(test_rows), num_classes, order).reshape(test_rows.shape)
    return PerRow(-np.log2(p).sum(axis=1), np.full(*test_rows.shape))


def corrected(
    train: Stream, rows: Test, num_classes: int, order: int, error_rate: float
) -> Integer[np.ndarray, "M L"]:
    """Rows with each token replaced by its most probable original, by counts: int32.

    A baseline for corrections by a model. With x the rows as they are, one text after the other,
    and p that of `probabilities`, the token at n becomes

        argmax_k q(x_n | k) Π_j p(x_j | the `order` tokens before j), j = n ... n + order, x_n = k,

    where q(x | k) is 1 - error_rate for x = k, and the rest is shared by the other classes. The
    text is taken as a circle, so that every token has `order` others on either side.
    """
    x, k = np.ravel(rows), np.arange(num_classes)[:, None]
    around = (np.arange(len(x))[:, None] + np.arange(-order, order + 1)) % len(x)
    windows = np.repeat(x[around][None], num_classes, axis=0)  # (K, N, 2 order + 1)
    windows[:, :, order] = k
    p = probabilities(train, np.ravel(windows), num_classes, order).reshape(windows.shape)
    wrong = error_rate / (num_classes - 1)
    noise = np.log(np.where(k == x, 1 - error_rate, wrong))
    best = (np.log(p[:, :, order:]).sum(axis=-1) + noise).argmax(axis=0)
    return best.reshape(rows.shape).astype(np.int32)


def probabilities(
    train: Stream,
    test: Integer[np.ndarray, "M"],
    num_classes: int,
    order: int,
    counted: Bool[np.ndarray, "T"] | None = None,
) -> Float[np.ndarray, "M"]:
    """Probability of each test token given the `order` before it: float64.

    The first few test tokens are given as many as there are. Of the training text those that are
    not `counted` are contexts alone, and never what follows one.
    """
    if order < 0 or not len(train):
        raise ValueError(
            f"Needs order >= 0 and a training text; got {order}, {len(train)} tokens."
        )
    p = np.full(len(test), 1.0 / num_classes)
    context = np.zeros(len(train), dtype=np.int64)  # number of each token's context, from 0
    test_context = np.zeros(len(test), dtype=np.int64)  # the same numbers; -1 if never seen
    for n in range(min(order, len(train) - 1, len(test)) + 1):
        # numbering contexts anew at each order keeps context * K + token small: no overflow
        grams, renumbered = np.unique(context * num_classes + train[n:], return_inverse=True)
        counts = np.bincount(renumbered, None if counted is None else counted[n:])
        seen = np.bincount(grams // num_classes, counts, minlength=context.max() + 1)
        distinct = np.bincount(grams // num_classes, counts > 0, minlength=context.max() + 1)

        gram = test_context * num_classes + test[n:]
        place = np.searchsorted(grams, gram).clip(max=len(grams) - 1)
        result = grams[place] == gram
        known = (test_context >= 0) & (distinct[test_context] > 0)
        total, kinds = seen[test_context], distinct[test_context]
        count = np.where(result, counts[place], 0)
        p[n:] = np.where(known, (count + kinds * p[n:]) / np.maximum(total + kinds, 1), p[n:])

        context, test_context = renumbered[:-1], np.where(result, place, -1)[:-1]
    return p


def bits_of_maps(train: Maps, test: Integer[np.ndarray, "M H W"], num_classes: int) -> PerRow:
    """Bits of each test map, each pixel given its left and its upper neighbour.

    p(c | left, upper) is the share of c in the training maps after those neighbours, each count
    plus one; beyond the border lies one more category.
    """
    counts = np.ones((num_classes + 1, num_classes + 1, num_classes))
    np.add.at(counts, with_neighbours(train, num_classes), 1)
    p = counts / counts.sum(axis=-1, keepdims=True)
    bits = -np.log2(p[with_neighbours(test, num_classes)])
    return PerRow(bits.sum(axis=(1, 2)), np.full(len(test), bits[0].size))


def with_neighbours(maps: Maps, border: int) -> tuple[Maps, Maps, Maps]:
    """The left neighbours of pixels, the upper ones, and the pixels; `border` is beyond them."""
    padded = np.pad(maps.astype(int), ((0, 0), (1, 0), (1, 0)), constant_values=border)
    return padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, 1:, 1:]
