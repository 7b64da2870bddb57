"""What few steps of masks must lose: the part of the dependence that no schedule saves.

A step that reveals the tokens A at once, given those revealed before, B, draws them apart. So it
loses the total correlation of A given x_B (Watanabe, 1960), in the mean over the data:

    Σ_{i ∈ A} H(X_i | x_B) - H(X_A | x_B) = KL(p(x_A | x_B) || Π_{i ∈ A} p(x_i | x_B)).

With a perfect guess, and S calls, the sum over steps is what the bound of the model is above the
entropy of the data. Its least value over all schedules, those too that choose A by what they see,
is found by dynamic programming over B and x_B. Where the choice of A is not random, the loss is
the divergence KL(data || samples) as well; chance in the choice can bring that divergence below
the least loss, but not the bound.
"""

import itertools

import numpy as np
from jaxtyping import Float

from amd_jax.diffusion.exact import certificates

Law = Float[np.ndarray, "..."]  # of L tokens, each of K classes or of a number of its own


def least_losses(data: Law) -> Float[np.ndarray, "L"]:
    """The least loss of 1, ..., L calls, in nats: of one the total correlation, of L nothing.

    data (K, ..., K) is the law of L tokens; the work grows as 3^L K^L. Raises ValueError unless
    it sums to 1.
    """
    data = np.asarray(data, np.float64)
    if not data.ndim or data.min() < 0 or abs(data.sum() - 1) > 1e-5:
        raise ValueError(
            "The law of L tokens is a table of shape (K,) * L that sums to 1; got "
            f"{data.shape}, sum {data.sum():.3g}."
        )
    places = range(data.ndim)
    subsets = [set(s) for n in range(data.ndim + 1) for s in itertools.combinations(places, n)]
    rest = {frozenset(places): np.zeros(data.shape)}  # what is lost from here on, by B and x_B
    result = []
    for _ in places:
        before, rest = rest, {frozenset(places): np.zeros(data.shape)}
        for known in subsets[:-1]:
            losses = [
                _loss(data, known, now) + _mean(data, known, before[frozenset(known | now)])
                for now in subsets
                if now and not now & known and frozenset(known | now) in before
            ]
            rest[frozenset(known)] = np.minimum.reduce(losses)
        result.append(rest[frozenset()].item())
    return np.array(result)


def _of(data: Law, places: set[int]) -> Law:
    """The law of the tokens at some places; the other axes have size 1."""
    others = tuple(i for i in range(data.ndim) if i not in places)
    return data.sum(axis=others, keepdims=True)


def _given(data: Law, known: set[int], places: set[int]) -> Law:
    """The law of the tokens at places given each value of the `known` ones; 0 without mass."""
    joint, own = _of(data, known | places), _of(data, known)
    return np.divide(joint, own, out=np.zeros_like(joint), where=own > 0)


def _loss(data: Law, known: set[int], now: set[int]) -> Law:
    """The total correlation of the tokens `now` given each value of the `known` ones."""
    apart = sum(_entropy(data, known, {i}) for i in now)
    return np.asarray(apart - _entropy(data, known, now))


def _entropy(data: Law, known: set[int], places: set[int]) -> Law:
    """H(X at places | x_known) at each x_known; 0 where that has no mass."""
    return certificates.entropy(_given(data, known, places), tuple(places), keepdims=True)


def _mean(data: Law, known: set[int], values: Law) -> Law:
    """The mean of values of more tokens, given each value of the `known` ones."""
    more = {i for i in range(data.ndim) if values.shape[i] > 1} - known
    return (_given(data, known, more) * values).sum(axis=tuple(more), keepdims=True)
