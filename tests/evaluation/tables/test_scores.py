"""AUC, R² and their errors against the definitions, and against repeated draws."""

import numpy as np
import pytest

from amd_jax.evaluation.tables import scores


def test_auc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    x, positive = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    a, b = x[positive][:, None], x[~positive]
    expected = (a > b).mean() + (a == b).mean() / 2
    score = scores.auc(x, positive)
    assert score.value == pytest.approx(expected)
    assert score.influence.mean() == pytest.approx(0, abs=1e-12)
    assert scores.auc(-x, positive).value == pytest.approx(1 - expected)


def test_errors_are_those_of_repeated_draws():
    rng, kept = np.random.default_rng(1), []
    for _ in range(400):
        y = rng.random(300) < 0.3
        x = rng.normal(size=300) + y
        other = x + rng.normal(size=300)
        first, second = scores.auc(x, y), scores.auc(other, y)
        target = x + rng.normal(size=300)
        kept.append(
            [first.value, first.error, *first.minus(second)]
            + [scores.r2(x, target).value, scores.r2(x, target).error]
        )
    values = np.array(kept)
    for i in (0, 2, 4):
        assert values[:, i + 1].mean() == pytest.approx(values[:, i].std(), rel=0.15)


def test_classes_are_weighed_by_their_share():
    rng = np.random.default_rng(2)
    truth = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    p = rng.dirichlet(np.ones(3), 200) + 0.4 * np.eye(3)[truth]
    each = [scores.auc(p[:, k], truth == k).value for k in range(3)]
    shares = np.bincount(truth) / 200
    assert scores.auc_of_classes(p, truth).value == pytest.approx(shares @ each)
    two = np.minimum(truth, 1)
    binary = np.stack([p[:, 0], 1 - p[:, 0]], axis=1)
    assert scores.auc_of_classes(binary, two).value == pytest.approx(each[0])


def test_what_cannot_be_predicted_has_no_score():
    assert scores.auc(np.arange(3.0), np.ones(3, bool)).value == 0.5
    assert scores.auc_of_classes(np.ones((3, 1)), np.zeros(3, int)).value == 0.5
    constant = scores.r2(np.zeros(3), np.ones(3))
    assert (constant.value, constant.error) == (0, 0)
    mean = scores.r2(np.full(4, 1.5), np.arange(4.0))
    assert mean.value == pytest.approx(0)
