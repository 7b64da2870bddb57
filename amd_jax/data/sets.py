"""Sets in a random order, whose entropy is known: all classes once, or numbers of a given sum.

Lippe and Gavves, 2021, sec. 4.2: a model of sets has to see that elements exclude each other, or
what they add up to, and nothing of their order.
"""

import dataclasses
import functools
import math

import numpy as np

from amd_jax.data.dataset import SPLITS, generator
from amd_jax.facts import Facts

ROWS = {"train": 100_000, "validation": 2_000, "test": 4_000}


@dataclasses.dataclass(frozen=True)
class _Sets:
    """Rows of S classes in [0, S), each as likely as any other of those that are valid."""

    size: int  # S

    def __post_init__(self):
        """Raises ValueError for a size that is too small, or beyond uint8."""
        if not 2 <= self.size <= 256:
            raise ValueError(f"A set has 2 to 256 elements; got size={self.size}.")

    splits = SPLITS

    @property
    def number(self) -> int:
        """How many rows are valid."""
        raise NotImplementedError

    @functools.cached_property
    def facts(self) -> Facts:
        """What a model needs to know of the sets, and the entropy that none can beat."""
        bits = math.log2(self.number) / self.size
        return Facts(
            num_classes=self.size,
            event_shape=(self.size,),
            name=f"{self}, entropy {bits:.4f} bits/element",
            unit="element",
            statistics={"entropy_bits": bits},
        )

    def rows(self, split: str) -> np.ndarray:
        """Draws that stay the same: uint8 (N, S)."""
        if split not in SPLITS:
            raise ValueError(f"The toy has no split {split!r}; it has {', '.join(SPLITS)}.")
        return self.batch(2**32 + SPLITS.index(split), 0, ROWS[split])

    def batch(self, seed: int, step: int, batch_size: int) -> np.ndarray:
        """Fresh draws, uint8 (B, S): a pure function of (seed, step)."""
        raise NotImplementedError

    def valid(self, x: np.ndarray) -> np.ndarray:
        """Whether each row (N, S) is such a set: bool (N,)."""
        raise NotImplementedError

    def check(self, x: np.ndarray) -> None:
        """Raises ValueError, naming the first, for rows (N, S) that are no such sets."""
        wrong = np.flatnonzero(~self.valid(x))
        if wrong.size:
            row = np.asarray(x)[wrong[0]].tolist()
            raise ValueError(f"A row must be one of {self}; got {row} in row {wrong[0]}.")


class Shuffling(_Sets):
    """Permutations of S classes."""

    def __str__(self) -> str:
        return f"permutations of {self.size}"

    @property
    def number(self) -> int:
        """S!"""
        return math.factorial(self.size)

    def batch(self, seed: int, step: int, batch_size: int) -> np.ndarray:
        """Fresh draws, uint8 (B, S): a pure function of (seed, step)."""
        keys = generator(seed, step).random((batch_size, self.size))
        return np.argsort(keys, axis=1).astype(np.uint8)

    def valid(self, x: np.ndarray) -> np.ndarray:
        """Whether each row (N, S) holds every class once: bool (N,)."""
        return (np.sort(x, axis=1) == np.arange(self.size)).all(axis=1)


@dataclasses.dataclass(frozen=True)
class Summation(_Sets):
    """S numbers from 1 to S with a given sum; class k is the number k + 1."""

    total: int

    def __post_init__(self):
        """Raises ValueError for a sum that no such numbers have."""
        super().__post_init__()
        if not self.size <= self.total <= self.size**2:
            raise ValueError(
                f"{self.size} numbers from 1 to {self.size} add up to {self.size} at least and "
                f"{self.size**2} at most; got total={self.total}."
            )

    def __str__(self) -> str:
        return f"{self.size} numbers from 1 to {self.size} with the sum {self.total}"

    @property
    def number(self) -> int:
        """How many rows have the sum."""
        return self._counts[self.size][self.total - self.size]

    @functools.cached_property
    def _counts(self) -> list[list[int]]:
        """In how many ways n classes add up to t, [n][t], exactly."""
        most = self.total - self.size
        table = [[1] + [0] * most]
        for _ in range(self.size):
            last = table[-1]
            table.append([sum(last[max(0, t - self.size + 1) : t + 1]) for t in range(most + 1)])
        return table

    def batch(self, seed: int, step: int, batch_size: int) -> np.ndarray:
        """Fresh draws, uint8 (B, S): a pure function of (seed, step)."""
        u = generator(seed, step).random((batch_size, self.size))
        left = np.full(batch_size, self.total - self.size)
        x = np.empty((batch_size, self.size), np.uint8)
        for place in range(self.size):
            cdf = self._laws[self.size - place - 1][left]
            x[:, place] = (cdf <= u[:, place, None]).sum(axis=1)
            left = left - x[:, place]
        return x

    @functools.cached_property
    def _laws(self) -> list[np.ndarray]:
        """P(class <= k) before n more ones, for each sum t that is left: (t, K) for each n."""
        laws = []
        for counts in self._counts[:-1]:
            found = np.zeros((len(counts), self.size))
            for t in range(len(counts)):
                ways = [counts[t - k] if k <= t else 0 for k in range(self.size)]
                found[t] = [sum(ways[: k + 1]) / max(1, sum(ways)) for k in range(self.size)]
            laws.append(found)
        return laws

    def valid(self, x: np.ndarray) -> np.ndarray:
        """Whether the numbers of each row (N, S) have the sum: bool (N,)."""
        x = np.asarray(x)
        inside = ((x >= 0) & (x < self.size)).all(axis=1)
        return inside & (x.astype(int).sum(axis=1) + self.size == self.total)
