"""Columns as scikit-learn's estimators take them; scikit-learn is the extra "tables"."""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from amd_jax.evaluation.tables.laws import Rows
from amd_jax.evaluation.tables.similarity import NUMERIC
from amd_jax.facts import TableFacts

MOST = 250  # categories that trees tell apart; the rarer ones of more count by their order
ONE_HOT = 100  # categories of a column that a linear model tells apart
ITERATIONS = 100  # trees of an estimator
ALONE = 2_000_000  # numbers that are fitted by one thread


def scikit_learn() -> None:
    """Raises ImportError, with the way out, unless scikit-learn is installed."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Detection and usefulness need scikit-learn: pip install 'amd_jax[tables]'"
        ) from error


def installed() -> bool:
    """Whether scikit-learn is there."""
    try:
        scikit_learn()
    except ImportError:
        return False
    return True


def columns(facts: TableFacts, x: Rows) -> Float[np.ndarray, "N C"]:
    """Numbers as they are, NaN where missing; of categories the codes."""
    codes = facts.codes(x)
    pairs = zip(facts.columns, codes.T, strict=True)
    each = [c.numbers(k) if c.kind in NUMERIC else k.astype(np.float64) for c, k in pairs]
    return np.stack(each, axis=1)


def trees(facts: TableFacts, used: list[int], classes: bool, seed: int) -> Any:
    """Gradient-boosted trees on some columns, not fitted: of classes or of a number."""
    scikit_learn()
    from sklearn import ensemble

    chosen = [facts.columns[i] for i in used]
    named = [c.kind == "categorical" and c.size <= MOST for c in chosen]
    kind = (
        ensemble.HistGradientBoostingClassifier
        if classes
        else ensemble.HistGradientBoostingRegressor
    )
    return kind(
        max_iter=ITERATIONS, early_stopping=False, categorical_features=named, random_state=seed
    )


def fitted(model: Any, x: Float[np.ndarray, "N F"], y: Shaped[np.ndarray, "N"]) -> Any:
    """An estimator, fitted. Few rows by one thread: several would wait for each other.

    A feature without a known value is fitted as a constant, so that it has no effect: trees do not
    take one that is all NaN.
    """
    import threadpoolctl

    x = np.where(np.isnan(x).all(axis=0), 0.0, x)
    with threadpoolctl.threadpool_limits(1 if x.size < ALONE else None):
        return model.fit(x, y)


def linear(facts: TableFacts, x: Rows) -> Float[np.ndarray, "N F"]:
    """Numbers of mean 0 and variance 1, signs of missing ones, and categories as ones."""
    result = []
    for column, codes in zip(facts.columns, facts.codes(x).T, strict=True):
        if column.kind in NUMERIC:
            numbers = column.numbers(codes)
            absent = np.isnan(numbers)
            known = numbers[~absent]
            centre, scale = (known.mean(), known.std()) if len(known) else (0.0, 1.0)
            scaled = np.where(absent, 0.0, (numbers - centre) / (scale or 1.0))
            result += [scaled[:, None], absent[:, None]]
        else:
            common = np.bincount(codes).argsort(kind="stable")[::-1][:ONE_HOT]
            result.append(codes[:, None] == common)
    return np.concatenate(result, axis=1).astype(np.float64)
