"""Whether a classifier tells samples from real rows: 0.5 is best, and what real rows reach.

The AUC of a classifier two-sample test (Lopez-Paz and Oquab, 2017), each row predicted by a
classifier that was fitted without it. Trees find what is wrong in combinations of columns; a
linear model is a weak test, which independent columns pass.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.evaluation.tables import features, scores
from amd_jax.evaluation.tables.laws import Rows
from amd_jax.evaluation.tables.scores import Score
from amd_jax.facts import TableFacts

FOLDS = 5
SEEDS = 2  # divisions into folds, over which the scores of a row are averaged

Others = Integer[np.ndarray, "M L"]


def by_trees(
    facts: TableFacts, real: Rows, drawn: Others, *, seeds: int = SEEDS, folds: int = FOLDS
) -> Score:
    """The AUC of gradient-boosted trees, real rows against as many samples."""
    x, is_drawn = _balanced(real, drawn)
    matrix = features.columns(facts, x)
    used = list(range(len(facts.columns)))

    def classifier(seed: int) -> Any:
        return features.trees(facts, used, True, seed)

    return _cross_validated(classifier, matrix, is_drawn, seeds, folds)


def by_logistic(
    facts: TableFacts, real: Rows, drawn: Others, *, seeds: int = 1, folds: int = FOLDS
) -> Score:
    """The AUC of logistic regression on numbers and categories: a weak test."""
    features.scikit_learn()
    from sklearn import linear_model

    x, is_drawn = _balanced(real, drawn)
    matrix = features.linear(facts, x)

    def classifier(seed: int) -> Any:
        return linear_model.LogisticRegression(max_iter=300, random_state=seed)

    return _cross_validated(classifier, matrix, is_drawn, seeds, folds)


def _balanced(real: Rows, drawn: Others) -> tuple[Integer[np.ndarray, "R L"], Any]:
    """As many of both at random, and which are drawn."""
    number, rng = min(len(real), len(drawn)), np.random.default_rng(0)
    if number < 2 * FOLDS:
        raise ValueError(
            f"Detection needs {2 * FOLDS} rows of either kind; got {len(real)} real and "
            f"{len(drawn)} drawn."
        )
    parts = [x[rng.choice(len(x), number, replace=False)] for x in (real, drawn)]
    return np.concatenate(parts), np.arange(2 * number) >= number


def _cross_validated(
    classifier: Any, matrix: Float[np.ndarray, "N F"], is_drawn: Any, seeds: int, folds: int
) -> Score:
    """The mean AUC over divisions, and over the folds of each."""
    values, influences = [], []
    for seed in range(seeds):
        rng, influence = np.random.default_rng(seed), np.empty(len(matrix))
        fold = np.empty(len(matrix), np.int64)
        for kind in (False, True):  # as many of both in each fold
            own = np.flatnonzero(is_drawn == kind)
            fold[rng.permutation(own)] = np.arange(len(own)) % folds
        for k in range(folds):
            held = fold == k
            fitted = features.fitted(classifier(seed), matrix[~held], is_drawn[~held])
            score = scores.auc(fitted.predict_proba(matrix[held])[:, 1], is_drawn[held])
            values.append(score.value)
            influence[held] = score.influence
        influences.append(influence)
    return Score(float(np.mean(values)), np.mean(influences, axis=0))
