"""Means over rows of different lengths, with their standard errors."""

import numpy as np


def of(values: np.ndarray) -> tuple[float, float]:
    """The mean of values (N,), and its standard error; not a number of one value."""
    return ratio(values, np.ones(len(values)))


def ratio(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Σ sums / Σ counts over rows (N,), and its standard error over them; not a number of one row.

    The error is that of a ratio of means (Cochran, 1977, sec. 2.11).
    """
    number = len(sums)
    mean = sums.sum() / counts.sum()
    if number < 2:
        return float(mean), float("nan")
    rest = sums - mean * counts
    variance = (rest**2).sum() / (number - 1) / number
    return float(mean), float(variance**0.5 / counts.mean())
