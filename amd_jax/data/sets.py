"""Toys of sets in a random order: all classes once, or numbers of a given sum.

Lippe and Gavves, 2021, sec. 4.2: a model has to see that elements exclude each other, or what they
add up to, and nothing of their order. Rows that are no such sets have a log-probability of -inf.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from amd_jax.data.toy import Toy, facts_of
from amd_jax.facts import Facts


@dataclasses.dataclass(frozen=True, eq=False)
class Sets(Toy):
    """Rows of S classes in [0, S): those that are valid are all as likely."""

    valid: Callable[[np.ndarray], np.ndarray]  # rows (N, S) -> bool (N,)

    def check(self, x: np.ndarray) -> None:
        """Raises ValueError, naming the first, for rows (N, S) that are not valid."""
        wrong = np.flatnonzero(~self.valid(x))
        if wrong.size:
            row = np.asarray(x)[wrong[0]].tolist()
            raise ValueError(f"Rows are {self.facts.name}; got {row} in row {wrong[0]}.")


def shuffling(size: int = 16) -> Sets:
    """Permutations of S classes, all as likely: log2(S!) / S bits an element, S = 16 2.7656."""
    _check(size)

    def draw(rng: np.random.Generator, number: int) -> np.ndarray:
        return rng.random((number, size)).argsort(axis=1)

    def valid(x: np.ndarray) -> np.ndarray:
        return (np.sort(x, axis=1) == np.arange(size)).all(axis=1)

    return _uniform(f"permutations of {size}", size, math.factorial(size), draw, valid)


def summation(size: int = 16, total: int = 42) -> Sets:
    """S numbers from 1 to S with a given sum, all as likely; class k is the number k + 1.

    With the defaults 2.2427 bits an element. Raises ValueError for a sum that no numbers have.
    """
    _check(size)
    most = total - size  # that the classes add up to
    if not 0 <= most <= size * (size - 1):
        raise ValueError(
            f"{size} numbers from 1 to {size} add up to {size} at least and {size**2} at most; "
            f"got total={total}."
        )
    ways = [[1] + [0] * most]  # in how many ways n classes add up to t: [n][t], exactly
    for last in range(size):
        ways.append([sum(ways[last][max(0, t - size + 1) : t + 1]) for t in range(most + 1)])
    ends = [_ends(row, size) for row in ways[:-1]]

    def draw(rng: np.random.Generator, number: int) -> np.ndarray:
        x, left = np.empty((number, size), np.int64), np.full(number, most)
        for place in range(size):
            u = rng.random((number, 1))
            x[:, place] = (u >= ends[size - place - 1][left, :-1]).sum(axis=1)
            left -= x[:, place]
        return x

    def valid(x: np.ndarray) -> np.ndarray:
        x = np.asarray(x).astype(int)
        return (x.sum(axis=1) == most) & ((x >= 0) & (x < size)).all(axis=1)

    name = f"{size} numbers from 1 to {size} with the sum {total}"
    return _uniform(name, size, ways[size][most], draw, valid)


def _ends(ways: list[int], size: int) -> np.ndarray:
    """P(class <= k) where t is left, and `ways` says in how many ways the rest adds up: (t, K)."""
    rows = []
    for t in range(len(ways)):
        each = [ways[t - k] if k <= t else 0 for k in range(size)]
        rows.append(np.cumsum([number / max(1, sum(each)) for number in each]))
    return np.array(rows)


def _check(size: int) -> None:
    """Raises ValueError for a size that no set here has: before anything is counted."""
    if not 2 <= size <= 256:
        raise ValueError(f"A set has 2 to 256 elements; got size={size}.")


def _uniform(name: str, size: int, number: int, draw: Callable, valid: Callable) -> Sets:
    """Sets of S classes, of which there are so many."""
    entropy = math.log(number)

    def log_prob(x: np.ndarray) -> np.ndarray:
        return np.where(valid(x), -entropy, -np.inf)

    return Sets(facts_of(name, Facts, size, (size,), entropy, draw), draw, log_prob, valid)
