"""Laws of the rows of a table, with exact probabilities: what a baseline is.

A row is L tokens, token l in [0, sizes[l]).
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Integer

Rows = Integer[np.ndarray, "N L"]
Nats = Float[np.ndarray, "N"]  # float64
Shares = Float[np.ndarray, "... K"]  # probabilities of the tokens of a field
Sizes = Sequence[int] | Integer[np.ndarray, "L"]  # classes of each field
STRENGTHS = 2.0 ** np.arange(-6, 13)  # of a prior, in rows
CELLS = 1 << 23  # numbers in memory at a time
TRIES = 100  # rounds of draws, until all rows are possible


@runtime_checkable
class Law(Protocol):
    """A law of rows with exact probabilities.

    To add one: a module with `fit(x, sizes) -> Law` beside the others.
    """

    def log_prob(self, x: Rows) -> Nats:
        """log p of each row, in nats: float64."""

    def sample(self, rng: np.random.Generator, n: int) -> Rows:
        """n independent rows: int32."""


def checked(x: Rows, sizes: Sizes) -> Rows:
    """The rows; ValueError unless each token is one of its field."""
    if x.ndim != 2 or x.shape[1] != len(sizes):
        raise ValueError(f"Rows have {len(sizes)} fields, (N, {len(sizes)}); got {x.shape}.")
    wrong = np.argwhere((x < 0) | (x >= np.asarray(sizes)))
    if len(wrong):
        row, field = wrong[0].tolist()
        raise ValueError(
            f"Field {field} has the tokens 0 to {sizes[field] - 1}; "
            f"got {x[row, field]} in row {row}."
        )
    return x


def counted(x: Rows, sizes: Sizes) -> list[Float[np.ndarray, "K"]]:
    """How often each field has each of its tokens."""
    each = zip(x.T, sizes, strict=True)
    return [np.bincount(column, minlength=size).astype(np.float64) for column, size in each]


def smoothed(counts: Shares, base: Float[np.ndarray, "K"]) -> Shares:
    """Shares p(k | context) from counts (..., K): (count + s base) / (total + s).

    The mean under a Dirichlet prior around `base` that weighs s rows, one s for all contexts: the
    one of `STRENGTHS` under which every row is likeliest given all others (leave one out).
    """
    totals = counts.sum(axis=-1, keepdims=True)
    seen = counts > 0
    n, total, prior = (np.broadcast_to(a, counts.shape)[seen] for a in (counts, totals, base))
    s = STRENGTHS[:, None]
    left_out = (n * np.log((n - 1 + s * prior) / (total - 1 + s))).sum(axis=1)
    best = STRENGTHS[left_out.argmax()] if n.size else 1.0
    return (counts + best * base) / (totals + best)


def marginals(x: Rows, sizes: Sizes) -> list[Float[np.ndarray, "K"]]:
    """The smoothed share of each token of each field, around equal shares."""
    each = zip(counted(x, sizes), sizes, strict=True)
    return [smoothed(counts, np.full(size, 1 / size)) for counts, size in each]


def drawn(
    rng: np.random.Generator, p: Float[np.ndarray, "J K"], context: Integer[np.ndarray, "N"]
) -> Integer[np.ndarray, "N"]:
    """A token of the law p[j] for each context j."""
    ends, u = np.cumsum(p[:, :-1], axis=1), rng.random((len(context), 1))
    size = max(1, CELLS // p.shape[1])
    parts = [slice(i, i + size) for i in range(0, len(context), size)]
    chosen = [(u[part] >= ends[context[part]]).sum(axis=1) for part in parts]
    return np.concatenate([np.empty(0, np.int64), *chosen])


def sample_possible(
    law: Law, possible: Callable[[Rows], Bool[np.ndarray, "N"]], rng: np.random.Generator, n: int
) -> Rows:
    """n rows of a law that are `possible`: others are drawn anew.

    ValueError if most never are.
    """
    rows = law.sample(rng, n)
    for _ in range(TRIES):
        impossible = np.flatnonzero(~possible(rows))
        if not len(impossible):
            return rows
        rows[impossible] = law.sample(rng, len(impossible))
    raise ValueError(f"{len(impossible)} of {n} rows are impossible after {TRIES} draws of each.")
