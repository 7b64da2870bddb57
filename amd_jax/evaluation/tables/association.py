"""How strongly the columns of a table depend on each other, pair by pair.

Cramér's V of binned columns, corrected for its bias in small tables (Bergsma, 2013): 0 where two
columns are independent, 1 where one determines the other. Bins are those of the first table, so
that two tables compare.
"""

import itertools

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.evaluation.tables.laws import Rows
from amd_jax.evaluation.tables.similarity import NUMERIC
from amd_jax.facts import Column, TableFacts

BINS = 10  # of numbers, each with about as many real cells; and the commonest categories

Others = Integer[np.ndarray, "M L"]
Pairs = Float[np.ndarray, "C C"]


def of_pairs(facts: TableFacts, real: Rows, other: Others) -> tuple[Pairs, Pairs]:
    """Cramér's V of each pair of columns in two tables; 1 on the diagonal."""
    codes = facts.codes(real).T, facts.codes(other).T
    binned = [_binned(*three) for three in zip(facts.columns, *codes, strict=True)]
    result = np.ones((2, len(binned), len(binned)))
    for i, j in itertools.combinations(range(len(binned)), 2):
        for n in range(2):
            result[n, i, j] = result[n, j, i] = cramers_v(binned[i][n], binned[j][n])
    return result[0], result[1]


def cramers_v(a: Integer[np.ndarray, "N"], b: Integer[np.ndarray, "N"]) -> float:
    """Bergsma's corrected V of two columns of bins; 0 where one of them is constant."""
    number = len(a)
    if number < 2:
        return 0.0
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a, b), 1)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / number
    squared = ((counts - expected) ** 2 / expected).sum() / number
    r, c = counts.shape
    squared = max(0.0, squared - (r - 1) * (c - 1) / (number - 1))
    least = min(n - (n - 1) ** 2 / (number - 1) for n in (r, c)) - 1
    return float(min(1.0, np.sqrt(squared / least))) if least > 0 else 0.0


def _binned(
    column: Column, real: Integer[np.ndarray, "N"], other: Integer[np.ndarray, "M"]
) -> list[Integer[np.ndarray, "_"]]:
    """The bins of a column in both tables."""
    if column.kind not in NUMERIC:
        common = np.bincount(real).argsort(kind="stable")[::-1][:BINS]
        places = np.full(column.size, len(common))
        places[common] = np.arange(len(common))
        return [places[real], places[other]]
    numbers = [column.numbers(codes) for codes in (real, other)]
    known = numbers[0][~np.isnan(numbers[0])]
    inner = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else known
    return [np.where(np.isnan(x), len(inner) + 1, np.searchsorted(inner, x)) for x in numbers]
