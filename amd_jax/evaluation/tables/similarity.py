"""How alike the columns of two tables are, one by one and in pairs.

`shape` and `trend` follow SDMetrics (its quality report: column shapes, column pair trends), so
that figures compare with published ones: 1 is the same, 0 as different as can be. Two samples of
one law are not at 1: compare with the same figure of other real rows. Independent columns have the
best shape there is, and a trend above 0.9 on many tables: neither says that samples are good.
"""

import itertools

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.evaluation.tables.laws import Rows
from amd_jax.facts import Column, TableFacts

NUMERIC = ("integer", "real", "date")  # kinds of columns that are measured as numbers
BINS = 10  # of numbers, beside categories
DENSE = 1_000_000  # cells of a pair of columns that are counted in an array

Codes = Integer[np.ndarray, "N"]
Others = Integer[np.ndarray, "M L"]


def shape(facts: TableFacts, real: Rows, other: Others) -> Float[np.ndarray, "C"]:
    """For each column 1 minus the distance of its laws in two tables.

    The distance is the total variation of categories, a missing cell among them; of numbers it is
    that of Kolmogorov and Smirnov, without missing cells. NaN where either has no number at all.
    """
    both = zip(facts.codes(real).T, facts.codes(other).T, strict=True)
    return np.array(
        [_shape(column, *pair) for column, pair in zip(facts.columns, both, strict=True)]
    )


def trend(facts: TableFacts, real: Rows, other: Others) -> Float[np.ndarray, "C C"]:
    """For each pair of columns 1 minus how far they differ in two tables.

    Of two numbers, half the difference of their correlations; else the total variation between
    the tables of counts, in which numbers stand in 10 bins of one width over the real ones. NaN
    on the diagonal, and where a correlation is none since a column is constant.
    """
    number = len(facts.columns)
    result = np.full((number, number), np.nan)
    codes = facts.codes(real), facts.codes(other)
    numbers = [_numbers(facts, c) for c in codes]
    binned = _binned(facts, codes, numbers)
    for i, j in itertools.combinations(range(number), 2):
        if all(facts.columns[n].kind in NUMERIC for n in (i, j)):
            both = [correlation(x[:, i], x[:, j]) for x in numbers]
            value = 1 - abs(both[0] - both[1]) / 2
        else:
            pairs = [_paired(b[:, i], b[:, j]) for b in binned]
            value = 1 - total_variation(*pairs)
        result[i, j] = result[j, i] = value
    return result


def mean_trend(pairs: Float[np.ndarray, "C C"]) -> float:
    """The mean over pairs that have a value; 1 if there are none."""
    values = pairs[np.triu_indices(len(pairs), 1)]
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else 1.0


def mean_shape(columns: Float[np.ndarray, "C"]) -> float:
    """The mean over columns that have a value; 1 if there are none."""
    values = columns[~np.isnan(columns)]
    return float(values.mean()) if len(values) else 1.0


def total_variation(a: Codes, b: Integer[np.ndarray, "M"]) -> float:
    """Half the sum of the absolute differences of the shares of each code, in [0, 1]."""
    top = max(a.max(initial=0), b.max(initial=0)) + 1
    if top > DENSE:
        _, places = np.unique(np.concatenate([a, b]), return_inverse=True)
        a, b, top = places[: len(a)], places[len(a) :], places.max() + 1
    first, second = (np.bincount(x, minlength=top) / max(1, len(x)) for x in (a, b))
    return float(np.abs(first - second).sum() / 2)


def kolmogorov_smirnov(a: Float[np.ndarray, "N"], b: Float[np.ndarray, "M"]) -> float:
    """The largest difference of two empirical distribution functions, in [0, 1]."""
    places = np.concatenate([a, b])
    ends = [np.searchsorted(np.sort(x), places, "right") / len(x) for x in (a, b)]
    return float(np.abs(ends[0] - ends[1]).max())


def correlation(a: Float[np.ndarray, "N"], b: Float[np.ndarray, "N"]) -> float:
    """Pearson's correlation where neither is missing; NaN if one is constant there."""
    known = ~np.isnan(a) & ~np.isnan(b)
    a, b = (x[known] - x[known].mean() if known.any() else x[known] for x in (a, b))
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else float("nan")


def _shape(column: Column, real: Codes, other: Integer[np.ndarray, "M"]) -> float:
    """1 minus the distance of two columns of codes."""
    if column.kind not in NUMERIC:
        return 1 - total_variation(real, other)
    numbers = [column.numbers(codes) for codes in (real, other)]
    a, b = (x[~np.isnan(x)] for x in numbers)
    return 1 - kolmogorov_smirnov(a, b) if len(a) and len(b) else float("nan")


def _numbers(facts: TableFacts, codes: Integer[np.ndarray, "N C"]) -> Float[np.ndarray, "N C"]:
    """Numeric columns as numbers, NaN where missing; 0 in others."""
    result = np.zeros(codes.shape)
    for i, column in enumerate(facts.columns):
        if column.kind in NUMERIC:
            result[:, i] = column.numbers(codes[:, i])
    return result


def _binned(
    facts: TableFacts,
    codes: tuple[Integer[np.ndarray, "N C"], Integer[np.ndarray, "M C"]],
    numbers: list[Float[np.ndarray, "_ C"]],
) -> list[Integer[np.ndarray, "_ C"]]:
    """Both tables with numbers in bins over the range of the first, and a bin for missing ones."""
    result = [codes[0].copy(), codes[1].copy()]
    for i, column in enumerate(facts.columns):
        if column.kind in NUMERIC:
            known = numbers[0][:, i][~np.isnan(numbers[0][:, i])]
            edges = np.histogram_bin_edges(known, BINS) if len(known) else np.zeros(1)
            for x, binned in zip(numbers, result, strict=True):
                places = np.digitize(x[:, i], edges)
                binned[:, i] = np.where(np.isnan(x[:, i]), len(edges) + 1, places)
    return result


def _paired(a: Codes, b: Codes) -> Codes:
    """One code for each pair of codes, the same in every table."""
    return (a.astype(np.int64) << 31) + b
