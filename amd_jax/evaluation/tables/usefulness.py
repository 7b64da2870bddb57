"""What samples are worth for prediction: fitted to samples, tested on real rows.

Gradient-boosted trees predict one column from all others, beside the same trees fitted to real
rows ("train on synthetic, test on real"; Esteban et al., 2017). A category is judged by the AUC of
its classes, each against all others; a number by R².
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.evaluation.tables import features, scores
from amd_jax.evaluation.tables.laws import Rows
from amd_jax.evaluation.tables.scores import Score
from amd_jax.evaluation.tables.similarity import NUMERIC
from amd_jax.facts import Column, TableFacts

CLASSES = 10  # of a target: its commonest values; all others are one more

Drawn = Integer[np.ndarray, "M L"]
Test = Integer[np.ndarray, "T L"]


class Use(NamedTuple):
    """The score of trees fitted to real rows, and that of trees fitted to samples."""

    measure: str  # "AUC" or "R2"
    real: Score
    drawn: Score

    @property
    def loss(self) -> tuple[float, float]:
        """What fitting to samples loses, and its error over the test rows, by pairs."""
        return self.real.minus(self.drawn)


def of_columns(
    facts: TableFacts,
    real: Rows,
    drawn: Drawn,
    test: Test,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Use]:
    """The use of samples for each column as the target, or for those of some names."""
    several = [column.name for column in facts.columns if column.size > 1]
    places = [facts.place(name) for name in (several if names is None else names)]
    result = {}
    for place in places:
        fitted = [predicted(facts, x, test, place, seed) for x in (real, drawn)]
        result[facts.columns[place].name] = Use(measure(facts.columns[place]), *fitted)
    return result


def measure(column: Column) -> str:
    """What a prediction of a column is judged by."""
    return "R2" if column.kind in NUMERIC else "AUC"


def predicted(facts: TableFacts, x: Rows, test: Test, place: int, seed: int = 0) -> Score:
    """How well trees fitted to rows x predict a column of the test rows, where it is known."""
    columns = [features.columns(facts, rows) for rows in (x, test)]
    used = [i for i in range(len(facts.columns)) if i != place]
    if facts.columns[place].kind in NUMERIC:
        known = [~np.isnan(c[:, place]) for c in columns]
        fitted, tested = (c[k] for c, k in zip(columns, known, strict=True))
        return _of_number(facts, fitted, tested, place, used, seed)
    common = np.bincount(columns[1][:, place].astype(np.int64)).argsort(kind="stable")
    classes = common[::-1][:CLASSES]
    return _of_classes(facts, columns[0], columns[1], place, used, classes, seed)


def _of_number(
    facts: TableFacts,
    fitted: Float[np.ndarray, "N C"],
    tested: Float[np.ndarray, "T C"],
    place: int,
    used: list[int],
    seed: int,
) -> Score:
    """R² of a number; 0 without a row to fit to."""
    truth = tested[:, place]
    if not len(truth) or not len(fitted):
        return Score(0.0, np.zeros(len(truth)))
    trees = features.trees(facts, used, False, seed)
    model = features.fitted(trees, fitted[:, used], fitted[:, place])
    return scores.r2(model.predict(tested[:, used]), truth)


def _of_classes(
    facts: TableFacts,
    fitted: Float[np.ndarray, "N C"],
    tested: Float[np.ndarray, "T C"],
    place: int,
    used: list[int],
    classes: Integer[np.ndarray, "K"],
    seed: int,
) -> Score:
    """AUC of classes, of which those that are fitted to nothing have the probability 0."""
    targets = [_merged(c[:, place].astype(np.int64), classes) for c in (fitted, tested)]
    p = np.zeros((len(tested), len(classes) + 1))
    if len(np.unique(targets[0])) > 1:
        trees = features.trees(facts, used, True, seed)
        model = features.fitted(trees, fitted[:, used], targets[0])
        p[:, model.classes_] = model.predict_proba(tested[:, used])
    return scores.auc_of_classes(p, targets[1])


def _merged(
    codes: Integer[np.ndarray, "N"], classes: Integer[np.ndarray, "K"]
) -> Integer[np.ndarray, "N"]:
    """The place of each code among the classes, or the place after them."""
    hits = codes[:, None] == classes
    return np.where(hits.any(axis=1), hits.argmax(axis=1), len(classes))
