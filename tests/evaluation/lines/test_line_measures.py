"""Measures of drawn lines, on cases worked out by hand; and their errors, by repetition."""

import math

import numpy as np
import pytest
from scipy import stats

from amd_jax.evaluation.lines.line_measures import novel, unique, variation, wasserstein


def test_different_and_new_lines():
    share, error = unique(["a", "b", "b", "c", "c", "c", "d", "e"])
    assert share == 5 / 8
    assert error == pytest.approx((3 - 1 + 1 - 9 / 8) ** 0.5 / 8)  # 3 once, 1 twice, 1 thrice
    assert unique(["a"]) == (1.0, 0.0)
    assert unique(["a"] * 10) == (1 / 10, 0.0)
    share, error = novel(["a", "b", "b", "c", "d"], ["b", "x", "b"])
    assert share == 3 / 4  # a, c and d of a, b, c and d
    assert error == pytest.approx((0.75 * 0.25 / 3) ** 0.5)
    assert novel(["a"], [])[0] == 1.0
    for unknown in (unique([]), novel([], ["a"]), wasserstein(np.array([]), np.ones(3))):
        assert all(map(math.isnan, unknown))


def test_the_distance_of_lengths():
    distance, error = variation(np.array([1, 1, 2, 3]), np.array([1, 2, 2, 5]))
    assert distance == 0.5
    assert 0 < error < 0.5
    assert variation(np.array([1, 2]), np.array([2, 1, 1, 2])) == (0.0, 0.0)
    assert variation(np.array([1]), np.array([7])) == (1.0, 0.0)


def test_the_wasserstein_distance_is_how_far_a_law_moves():
    x = np.array([1.0, 2.0, 4.0])
    assert wasserstein(x, x + 3)[0] == 3
    assert wasserstein(x, np.repeat(x, 5)) == (0.0, 0.0)
    assert wasserstein(np.array([0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0]))[0] == 0.25
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=70), rng.integers(-2, 3, 90).astype(float)
    assert wasserstein(a, b)[0] == pytest.approx(stats.wasserstein_distance(a, b))


P, Q = (0.5, 0.3, 0.2), (0.2, 0.3, 0.5)
REPEATED = {  # a measure of draws, and how near its mean error is to its scatter
    "lengths": (0.2, lambda rng: variation(rng.choice(3, 500, p=P), rng.choice(3, 400, p=Q))),
    "even": (0.2, lambda rng: unique(rng.integers(0, 1000, 300).astype(str).tolist())),
    "uneven": (0.2, lambda rng: unique(rng.geometric(0.02, 300).astype(str).tolist())),
    "moved": (0.15, lambda rng: wasserstein(rng.normal(5, 1, 300), rng.normal(6, 1, 200))),
    "wider": (0.15, lambda rng: wasserstein(rng.normal(5, 1, 300), rng.normal(5, 2, 200))),
    "counts": (
        0.15,
        lambda rng: wasserstein(1.0 * rng.poisson(5, 300), 1.0 * rng.poisson(6, 200)),
    ),
}


@pytest.mark.parametrize(("within", "drawn"), REPEATED.values(), ids=REPEATED)
def test_errors_are_those_of_repetition(within, drawn):
    rng = np.random.default_rng(0)
    values, errors = np.transpose([drawn(rng) for _ in range(400)])
    assert errors.mean() == pytest.approx(values.std(), rel=within)
