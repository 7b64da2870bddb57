import numpy as np
import pytest

from amd_jax.evaluation.tables import calibration


def test_right_probabilities_lie_on_the_diagonal():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 20_000)
    truth = (rng.random((20_000, 1)) > np.cumsum(p, axis=1)[:, :-1]).sum(axis=1)
    result = calibration.reliability(*calibration.most_likely(p, truth))
    some = result.counts > 100
    assert some.sum() == 7  # the likeliest of three has a third or more
    assert (np.abs(result.share - result.forecast)[some] < 4 * result.error[some]).all()
    assert result.gap < 0.02
    assert np.isnan(result.forecast[0])
    sure = calibration.reliability(*calibration.most_likely(p**3 / (p**3).sum(1)[:, None], truth))
    assert sure.gap > 0.1  # probabilities that are too sharp


def test_brier_by_hand_and_proper():
    p = np.array([[0.7, 0.3, 0.0], [0.2, 0.5, 0.3]])
    result = calibration.brier(p, np.array([0, 2]))
    np.testing.assert_allclose(result.sums, [0.09 + 0.09, 0.04 + 0.25 + 0.49])
    rng = np.random.default_rng(1)
    truth = (rng.random(5000) < 0.3).astype(int)
    at = {
        q: calibration.brier(np.tile([1 - q, q], (5000, 1)), truth).mean()[0]
        for q in (0.1, 0.3, 0.5)
    }
    assert min(at, key=at.get) == 0.3


def test_one_is_a_probability_and_two_is_none():
    result = calibration.reliability(np.array([1.0, 0.0]), np.array([True, False]))
    assert result.gap == 0
    assert result.counts.tolist() == [1, *[0] * 8, 1]
    with pytest.raises(ValueError, match="got 0.5 to 2"):
        calibration.reliability(np.array([0.5, 2.0]), np.array([True, False]))
