"""Means over rows of different lengths, and differences of such means, with standard errors.

Rows that follow each other in a text are alike, so that an error which takes them for independent
is too small. The errors here come from blocks of neighbouring rows (batch means; Jones et al.,
2006; Flegal and Jones, 2010): the rows, in their order, are cut into about √N blocks of about √N
rows, and the blocks are taken for independent. That is right for independent rows, too, with a
noisier error. docs/how_it_works/errors.md has what was measured.

Two figures of the same rows are compared by their difference in each row: what is hard in a row is
hard for both, and falls out.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Integer, Real, Shaped

Rows = Integer[np.ndarray, "N *event"]  # of tokens
Row = Integer[np.ndarray, "*event"]
Figures = Real[np.ndarray, "N"]  # one for each row
EFFECTIVE = 8.0  # draws of equal weight that a weighted mean needs before its error means much
MINIMUM = 4  # blocks, or as many as there are rows: one block alone says nothing of an error


class PerRow(NamedTuple):
    """What was measured of each of N rows, in their order; its mean is Σ sums / Σ counts."""

    sums: Figures  # such as the bits of a row
    counts: Figures  # such as its tokens

    def mean(self, *, independent: bool = False) -> tuple[float, float]:
        """The mean and its standard error: see `ratio`."""
        return ratio(*self, independent=independent)

    def is_of(self, other: "PerRow") -> bool:
        """Whether both count the same in as many rows."""
        return np.array_equal(self.counts, other.counts)

    def minus(self, other: "PerRow") -> "PerRow":
        """How much more this is than another figure of the same rows; its mean is by pairs.

        Raises ValueError unless both count the same.
        """
        if not self.is_of(other):
            counted = [f"{sum(part.counts):,} in {len(part.counts):,}" for part in (self, other)]
            raise ValueError(
                "A difference is of two figures of the same rows, token by token; these count "
                f"{' and '.join(counted)} rows. Measure both on the same rows."
            )
        with np.errstate(invalid="ignore"):  # of two that are infinite it is not a number
            return PerRow(self.sums - other.sums, self.counts)


def of(values: Shaped[np.ndarray, "N"], *, independent: bool = False) -> tuple[float, float]:
    """The mean of values, and its standard error: see `ratio`."""
    return ratio(values, np.ones(len(values)), independent=independent)


def ratio(
    sums: Shaped[np.ndarray, "N"], counts: Figures, *, independent: bool = False
) -> tuple[float, float]:
    """Σ sums / Σ counts over rows, and its standard error, by `blocks` of neighbours.

    The error is that of a ratio of means (Cochran, 1977, sec. 2.11), over blocks as its units, or
    over rows that are `independent` by construction, such as samples. Of one row it is not a
    number; where nothing is counted the mean is 0, and its error not a number.
    """
    total, number = counts.sum(), len(sums)
    if not total:
        return 0.0, float("nan")
    mean, units = sums.sum() / total, number if independent else blocks(number)
    if units < 2:
        return float(mean), float("nan")
    starts = np.arange(units) * number // units  # whole rows: lengths differ by one at most
    with np.errstate(invalid="ignore", over="ignore"):  # where a row is infinite, no number
        rest = np.add.reduceat(sums - mean * counts, starts)
        variance = (rest**2).sum() / (units - 1) / units
    return float(mean), float(variance**0.5 / (total / units))


def blocks(rows: int) -> int:
    """The number of blocks that N rows are cut into: √N, at least 4, at most N."""
    return min(rows, max(MINIMUM, round(rows**0.5)))


def shown(value: float, error: float, form: str = ".3f", sign: str = "") -> str:
    """A figure in words, such as "2.152 ± 0.026"; without an error that is not a number."""
    return f"{value:{sign}{form}}" + (f" ± {error:{form}}" if np.isfinite(error) else "")


def signed(value: float, error: float, form: str = ".3f") -> str:
    """A difference in words, such as "+0.208 ± 0.010"."""
    return shown(value, error, form, sign="+z")
