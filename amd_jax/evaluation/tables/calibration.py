"""Whether probabilities of filled cells are right: of those at 70 %, 70 % should be so.

Brier, 1950; reliability diagrams as in Guo et al., 2017.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from amd_jax.evaluation.means import PerRow

BINS = 10

Shares = Float[np.ndarray, "B"]


class Reliability(NamedTuple):
    """Forecasts in bins of one width over [0, 1]; NaN in a bin without forecasts."""

    forecast: Shares  # their mean in each bin
    share: Shares  # of the forecasts that came true
    error: Shares  # its standard error
    counts: Integer[np.ndarray, "B"]

    @property
    def gap(self) -> float:
        """The expected calibration error: |share - forecast|, weighed by the counts."""
        some = self.counts > 0
        gaps = np.abs(self.share - self.forecast)[some]
        return float((gaps * self.counts[some]).sum() / max(1, self.counts.sum()))


def reliability(
    p: Float[np.ndarray, "N"], true: Bool[np.ndarray, "N"], bins: int = BINS
) -> Reliability:
    """Forecasts p beside the share of those that came true, in bins."""
    if len(p) and not (p.min() >= 0 and p.max() <= 1 + 1e-6):
        raise ValueError(f"Probabilities are in [0, 1]; got {p.min():.3g} to {p.max():.3g}.")
    places = np.minimum((p * bins).astype(np.int64), bins - 1)
    count = np.bincount(places, minlength=bins)
    sums = [np.bincount(places, weights, bins) for weights in (p, true.astype(np.float64))]
    some = np.where(count > 0, count, np.nan)
    forecast, share = (total / some for total in sums)
    return Reliability(forecast, share, np.sqrt(share * (1 - share) / some), count)


def most_likely(
    p: Float[np.ndarray, "N K"], truth: Integer[np.ndarray, "N"]
) -> tuple[Float[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """The probability of the likeliest class of each cell, and whether it is the true one."""
    best = p.argmax(axis=1)
    return p[np.arange(len(p)), best].astype(np.float64), best == truth


def brier(p: Float[np.ndarray, "N K"], truth: Integer[np.ndarray, "N"]) -> PerRow:
    """Σ_k (p_k - 1[k is true])² of each cell, in [0, 2]: 0 is best, and only the truth's law wins.

    Cells of fewer classes have zeros after them.
    """
    errors = np.array(p, np.float64)
    errors[np.arange(len(p)), truth] -= 1
    return PerRow((errors**2).sum(axis=1), np.ones(len(p), np.int64))
