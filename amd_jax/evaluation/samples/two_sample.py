"""A classifier two-sample test: can logistic regression tell samples from real rows?

The AUC of a classifier two-sample test (Lopez-Paz and Oquab, 2017), each row predicted by a
classifier that was fitted without it: 0.5 is chance, and 1 is told apart always. It needs
scikit-learn, the extra "tables".
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import draws
from amd_jax.evaluation.samples.draws import Draws, Figure
from amd_jax.evaluation.tables import features, scores

FOLDS = 5

Features = Float[np.ndarray, "N F"]


@dataclasses.dataclass(frozen=True, eq=False)
class TwoSample:
    """The test of samples against real rows, draw by draw, by features of rows (N, *event)."""

    real: Draws  # (R, N, *event)
    features: Callable[[Rows], Features]
    seed: int = 0

    def of(self, drawn: Draws) -> Figure:
        """The AUC of samples (R, N, *event)."""
        pairs = zip(self._real, self._of_draws(drawn), strict=True)
        return draws.of([auc(real, own, self.seed) for real, own in pairs])

    @functools.cached_property
    def _real(self) -> Float[np.ndarray, "R N F"]:
        return self._of_draws(self.real)

    def _of_draws(self, drawn: Draws) -> Float[np.ndarray, "R N F"]:
        flat = self.features(drawn.reshape(-1, *drawn.shape[2:]))
        return flat.reshape(*drawn.shape[:2], -1)


def auc(real: Features, drawn: Float[np.ndarray, "M F"], seed: int = 0) -> float:
    """The mean AUC over folds; ValueError for fewer than two rows of either kind in a fold.

    Features are scaled by mean and deviation of the rows that the classifier is fitted to.
    """
    if min(len(real), len(drawn)) < 2 * FOLDS:
        raise ValueError(
            f"A two-sample test needs {2 * FOLDS} rows of either kind; got {len(real)} real and "
            f"{len(drawn)} drawn."
        )
    features.scikit_learn()
    from sklearn import linear_model, pipeline, preprocessing

    x, is_drawn = np.concatenate([real, drawn]), np.arange(len(real) + len(drawn)) >= len(real)
    rng, fold = np.random.default_rng(seed), np.empty(len(x), int)
    for kind in (False, True):  # as many of both in each fold
        own = np.flatnonzero(is_drawn == kind)
        fold[rng.permutation(own)] = np.arange(len(own)) % FOLDS
    values = []
    for k in range(FOLDS):
        held = fold == k
        model = pipeline.make_pipeline(
            preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=1000)
        )
        fitted = features.fitted(model, x[~held], is_drawn[~held])
        values.append(scores.auc(fitted.decision_function(x[held]), is_drawn[held]).value)
    return float(np.mean(values))
