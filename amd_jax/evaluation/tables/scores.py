"""Scores of predictions with what each row contributes, for errors and paired differences."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Integer

from amd_jax.evaluation import means

Values = Float[np.ndarray, "N"]


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """A score, and how far each row that was predicted moves it (its influence; mean 0)."""

    value: float
    influence: Values

    @property
    def error(self) -> float:
        """One standard error, of independent rows."""
        return means.of(self.influence, independent=True)[1]

    def minus(self, other: "Score") -> tuple[float, float]:
        """The difference from another score of the same rows, and its error by pairs."""
        gap = means.of(self.influence - other.influence, independent=True)[1]
        return self.value - other.value, gap


def auc(scores: Values, positive: Bool[np.ndarray, "N"]) -> Score:
    """The chance that a positive row has a higher score than another; ties count half.

    With the error of DeLong et al., 1988. 0.5 if there are rows of one kind only.
    """
    share = positive.mean() if len(positive) else 0.0
    if not 0 < share < 1:
        return Score(0.5, np.zeros(len(scores)))
    lower, upper = np.sort(scores[~positive]), np.sort(scores[positive])
    above = _below(lower, scores[positive])  # of each positive row
    under = 1 - _below(upper, scores[~positive])  # of each other row
    value, influence = float(above.mean()), np.empty(len(scores))
    influence[positive] = (above - value) / share
    influence[~positive] = (under - value) / (1 - share)
    return Score(value, influence)


def _below(ordered: Float[np.ndarray, "M"], x: Values) -> Values:
    """The share of ordered numbers below each x, equal ones by half."""
    ends = [np.searchsorted(ordered, x, side) for side in ("left", "right")]
    return (ends[0] + ends[1]) / (2 * len(ordered))


def auc_of_classes(p: Float[np.ndarray, "N K"], truth: Integer[np.ndarray, "N"]) -> Score:
    """The AUC of each class against all others, weighed by the share of the class.

    Of two classes it is their AUC.
    """
    shares = np.bincount(truth, minlength=p.shape[1]) / len(truth)
    each = [(auc(p[:, k], truth == k), shares[k]) for k in np.flatnonzero(shares)]
    if len(each) == 1:
        return each[0][0]
    value = sum(share * score.value for score, share in each)
    influence = np.sum([share * score.influence for score, share in each], axis=0)
    return Score(float(value), influence)


def r2(predicted: Values, truth: Values) -> Score:
    """1 - Σ (y - ŷ)² / Σ (y - mean)²; 0 for a truth that is constant."""
    missed, spread = (truth - predicted) ** 2, (truth - truth.mean()) ** 2
    if not spread.sum():
        return Score(0.0, np.zeros(len(truth)))
    value = 1 - missed.sum() / spread.sum()
    return Score(float(value), -(missed - (1 - value) * spread) / spread.mean())
