"""Trees see independent columns, real rows stay unseen; and samples that are of use."""

import builtins

import numpy as np
import pytest

from amd_jax.evaluation.tables import detection, features, usefulness
from amd_jax.facts import Column, TableFacts

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'amd_jax[tables]'")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(features, "ITERATIONS", 15)


@pytest.mark.slow
def test_trees_tell_independent_columns_and_a_linear_model_does_not(facts, draw):
    real, same, apart = draw(600, 0), draw(600, 1), draw(700, 2, independent=True)
    score = detection.by_trees(facts, real, same, seeds=1, folds=3)
    assert abs(score.value - 0.5) < 4 * score.error
    assert score.error < 0.03
    assert detection.by_trees(facts, real, apart, seeds=1, folds=3).value > 0.8
    weak = detection.by_logistic(facts, real, apart, folds=3)
    assert abs(weak.value - 0.5) < 4 * weak.error
    with pytest.raises(ValueError, match="needs 10 rows of either kind; got 600 real and 5 drawn"):
        detection.by_trees(facts, real, same[:5])


def test_real_rows_are_of_more_use_than_independent_ones(facts, draw):
    real, apart, test = draw(600, 0), draw(600, 1, independent=True), draw(500, 2)
    uses = usefulness.of_columns(facts, real, apart, test, names=["weight", "grade"])
    assert {name: use.measure for name, use in uses.items()} == {"weight": "R2", "grade": "AUC"}
    for use in uses.values():
        value, error = use.loss
        assert value > 5 * error > 0
        assert use.real.value > 0.8
    assert abs(uses["grade"].drawn.value - 0.5) < 0.1


def test_every_column_is_a_target_but_for_constant_ones(facts, draw, monkeypatch):
    monkeypatch.setattr(features, "ITERATIONS", 1)
    x = draw(60, 0)
    uses = usefulness.of_columns(facts, x, x, draw(40, 1))
    assert list(uses) == ["colour", "age", "weight", "born", "grade"]
    assert all(np.isfinite(use.drawn.value) for use in uses.values())


def test_samples_of_one_class_are_of_no_use(facts, draw):
    x, test = draw(200, 0), draw(200, 1)
    one = x[x[:, 0] == 0]
    assert usefulness.predicted(facts, one, test, 0).value == 0.5


def test_numbers_that_are_never_known_together(monkeypatch):
    """One number is known where the other is not, a third in one row, and a fourth in none."""
    digits = tuple("0123456789")
    columns = [Column("species", "categorical", values=("bird", "fish"))]
    columns += [Column(n, "integer", values=digits, missing="") for n in ("wing", "fin", "a", "b")]
    facts, rng = TableFacts.of(columns), np.random.default_rng(0)
    species = np.arange(60) % 2
    codes = np.stack([species, *rng.integers(0, 10, (2, 60)), *np.full((2, 60), 10)], axis=1)
    codes[species == 1, 1] = codes[species == 0, 2] = 10
    codes[0, 3] = 5
    x = facts.fields(codes)
    monkeypatch.setattr(features, "ITERATIONS", 5)
    uses = usefulness.of_columns(facts, x, x, x)
    assert uses["species"].real.value > 0.9
    assert all(np.isfinite(use.drawn.value) for use in uses.values())
    assert np.isfinite(detection.by_trees(facts, x, x, seeds=1).value)
    assert np.isfinite(detection.by_logistic(facts, x, x).value)


def test_a_feature_without_a_known_value_is_as_one_that_is_dropped(facts, draw):
    x = features.columns(facts, draw(200, 0))
    known, used = [0, 3, 4], [0, 1, 3, 4]
    x[:, 1] = np.nan
    predicted = []
    for chosen in (known, used):
        trees = features.fitted(features.trees(facts, chosen, False, 0), x[:, chosen], x[:, 2])
        x[:100, 1] = 30.0  # in the rows that are predicted, it is known
        predicted.append(trees.predict(x[:, chosen]))
        x[:, 1] = np.nan
    np.testing.assert_array_equal(*predicted)


def test_without_scikit_learn_the_way_out_is_said(facts, draw, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **options):
        if name.startswith("sklearn"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert not features.installed()
    with pytest.raises(ImportError, match=r"pip install 'amd_jax\[tables\]'"):
        detection.by_trees(facts, draw(50, 0), draw(50, 1))
