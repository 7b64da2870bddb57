"""Measures of drawn lines, on cases worked out by hand; and their errors, by repetition."""

import math

import numpy as np
import pytest

from amd_jax.evaluation.lines import line_measures


def test_different_lines():
    share, error = line_measures.unique(["a", "b", "b", "c", "c", "c", "d", "e"])
    assert share == 5 / 8
    assert error == pytest.approx((3 - 1 + 1 - 9 / 8) ** 0.5 / 8)  # 3 once, 1 twice, 1 thrice
    assert line_measures.unique(["a"]) == (1.0, 0.0)
    assert line_measures.unique(["a"] * 10) == (1 / 10, 0.0)


def test_new_lines():
    share, error = line_measures.novel(["a", "b", "b", "c", "d"], ["b", "x", "b"])
    assert share == 3 / 4  # a, c and d of a, b, c and d
    assert error == pytest.approx((0.75 * 0.25 / 3) ** 0.5)
    assert line_measures.novel(["a"], [])[0] == 1.0


def test_of_no_line_nothing_is_known():
    assert all(map(math.isnan, line_measures.unique([])))
    assert all(map(math.isnan, line_measures.novel([], ["a"])))


def test_the_distance_of_lengths():
    distance, error = line_measures.variation(np.array([1, 1, 2, 3]), np.array([1, 2, 2, 5]))
    assert distance == 0.5
    assert 0 < error < 0.5
    assert line_measures.variation(np.array([1, 2]), np.array([2, 1, 1, 2])) == (0.0, 0.0)
    assert line_measures.variation(np.array([1]), np.array([7])) == (1.0, 0.0)


def test_errors_are_those_of_repetition():
    """The scatter of 400 repetitions is the mean error, within a fifth."""
    rng = np.random.default_rng(0)
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    found = [
        (
            line_measures.variation(rng.choice(3, 500, p=p), rng.choice(3, 400, p=q)),
            line_measures.unique(rng.integers(0, 1000, 300).astype(str).tolist()),
            line_measures.unique(rng.geometric(0.02, 300).astype(str).tolist()),
        )
        for _ in range(400)
    ]
    for figures in zip(*found, strict=True):
        values, errors = np.array(figures).T
        assert errors.mean() == pytest.approx(values.std(), rel=0.2)


def test_the_wasserstein_distance_is_how_far_a_law_moves():
    distance = line_measures.wasserstein
    x = np.array([1.0, 2.0, 4.0])
    assert distance(x, x + 3)[0] == 3
    assert distance(x, np.repeat(x, 5)) == (0.0, 0.0)
    assert distance(np.array([0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0]))[0] == 0.25
    assert all(map(math.isnan, distance(x[:0], x)))
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=70), rng.integers(-2, 3, 90).astype(float)
    stats = pytest.importorskip("scipy.stats")
    assert distance(a, b)[0] == pytest.approx(stats.wasserstein_distance(a, b))


PAIRS = {
    "moved": (lambda rng: rng.normal(5, 1, 300), lambda rng: rng.normal(6, 1, 200)),
    "wider": (lambda rng: rng.normal(5, 1, 300), lambda rng: rng.normal(5, 2, 200)),
    "counts": (lambda rng: 1.0 * rng.poisson(5, 300), lambda rng: 1.0 * rng.poisson(6, 200)),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_the_error_of_the_wasserstein_distance_is_that_of_repetition(pair):
    rng = np.random.default_rng(0)
    found = [line_measures.wasserstein(*(draw(rng) for draw in PAIRS[pair])) for _ in range(400)]
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)
