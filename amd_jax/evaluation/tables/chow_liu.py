"""The Chow-Liu tree: each field depends on one other field, p(x) = Π p(x_l | x_parent(l)).

The tree of the largest sum of mutual informations is the likeliest of all trees (Chow and Liu,
1968). Estimates of mutual information are too high by about (cells - rows - columns + 1) / 2N of
what is not empty in a table of counts; that is subtracted (Miller, 1955), and of fields that have
none left neither is a parent of the other.
"""

import dataclasses
import itertools

import numpy as np
import scipy.sparse
from jaxtyping import Float, Integer
from scipy.sparse import csgraph

from amd_jax.evaluation.tables import laws
from amd_jax.evaluation.tables.laws import Nats, Rows, Sizes

MOST_CELLS = 1 << 22  # of the table of two fields
PAIR_ROWS = 200_000  # of the rows, evenly spread, of which mutual informations are estimated
Column = Integer[np.ndarray, "N"]


@dataclasses.dataclass(frozen=True, eq=False)
class Tree:
    """Fields that depend on one field each, or on none."""

    order: tuple[int, ...]  # of the fields: parents come first
    parents: tuple[int, ...]  # of each field, -1 for none
    shares: tuple[Float[np.ndarray, "..."], ...]  # (K,) of a root, else (K of the parent, K)

    def log_prob(self, x: Rows) -> Nats:
        """log p of each row, in nats: float64."""
        laws.checked(x, [p.shape[-1] for p in self.shares])
        result = np.zeros(len(x))
        for field, (parent, p) in enumerate(zip(self.parents, self.shares, strict=True)):
            log_p, tokens = np.log(p), x[:, field]
            result += log_p[tokens] if parent < 0 else log_p[x[:, parent], tokens]
        return result

    def sample(self, rng: np.random.Generator, n: int) -> Rows:
        """n independent rows: int32."""
        x = np.empty((n, len(self.order)), np.int32)
        for field in self.order:
            parent, p = self.parents[field], self.shares[field]
            if parent < 0:
                x[:, field] = rng.choice(len(p), n, p=p)
            else:
                x[:, field] = laws.drawn(rng, p, x[:, parent])
        return x


def fit(x: Rows, sizes: Sizes) -> Tree:
    """The tree of the largest mutual informations, with smoothed tables (`laws.smoothed`)."""
    laws.checked(x, sizes)
    weights = informations(x, sizes)
    order, parents = _rooted(weights)
    shares = list(laws.marginals(x, sizes))
    for field, parent in enumerate(parents):
        if parent >= 0:
            counts = pair_counts(x[:, parent], x[:, field], sizes[parent], sizes[field])
            shares[field] = laws.smoothed(counts, shares[field])
    return Tree(order, parents, tuple(shares))


def informations(x: Rows, sizes: Sizes) -> Float[np.ndarray, "L L"]:
    """Mutual information of every pair of fields in nats, bias subtracted, 0 or more.

    0 as well of a pair of so many classes that its table is not counted.
    """
    x = np.asarray(x[:: -(-len(x) // PAIR_ROWS) or 1].T, np.int64, order="C")
    result = np.zeros((len(x), len(x)))
    pairs = itertools.combinations(range(len(x)), 2)
    for i, j in ((i, j) for i, j in pairs if sizes[i] * sizes[j] <= MOST_CELLS):
        counts = pair_counts(x[i], x[j], sizes[i], sizes[j])
        result[i, j] = result[j, i] = max(0.0, information(counts))
    return result


def pair_counts(a: Column, b: Column, size_a: int, size_b: int) -> Float[np.ndarray, "K J"]:
    """How often each pair of tokens of two fields occurs."""
    cells = np.bincount(a.astype(np.int64) * size_b + b, minlength=size_a * size_b)
    return cells.reshape(size_a, size_b).astype(np.float64)


def information(counts: Float[np.ndarray, "K J"]) -> float:
    """Mutual information of a table of counts in nats, less its bias: about 0 if there is none."""
    total, sides = counts.sum(), (counts.sum(axis=1), counts.sum(axis=0))
    if not total:
        return 0.0
    entropies = [_entropy(n[n > 0] / total) for n in (*sides, counts)]
    rows, columns, cells = ((n > 0).sum() for n in (*sides, counts))
    bias = (cells - rows - columns + 1) / (2 * total)
    return float(entropies[0] + entropies[1] - entropies[2] - bias)


def _entropy(p: Float[np.ndarray, "n"]) -> float:
    return float(-(p * np.log(p)).sum())


def _rooted(weights: Float[np.ndarray, "L L"]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """An order of the fields and their parents in the heaviest tree, or trees."""
    tree = csgraph.minimum_spanning_tree(scipy.sparse.csr_array(-weights))
    tree = tree + tree.T
    order: list[int] = []
    parents = np.full(len(weights), -1)
    for root in weights.sum(axis=1).argsort(kind="stable")[::-1].tolist():
        if root not in order:  # a tree that none before it was part of
            found, before = csgraph.breadth_first_order(tree, root, directed=False)
            order += found.tolist()
            parents[found[1:]] = before[found[1:]]
    return tuple(order), tuple(parents.tolist())
