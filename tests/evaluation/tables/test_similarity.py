"""Distances by hand, and of rows that lack what the columns have in common."""

import numpy as np
import pytest
import scipy.stats

from amd_jax.evaluation.tables import similarity
from amd_jax.facts import Column, TableFacts


def test_a_table_is_like_itself(facts, draw):
    x = draw(500, 0)
    np.testing.assert_array_equal(similarity.shape(facts, x, x), 1)
    pairs = similarity.trend(facts, x, x)
    values = pairs[~np.isnan(pairs)]
    assert len(values) == 6 * 5
    np.testing.assert_allclose(values, 1)


def test_independent_columns_have_the_shape_and_not_the_trend(facts, draw):
    x, same, apart = draw(4000, 0), draw(4000, 1), draw(4000, 2, independent=True)
    shapes = [similarity.mean_shape(similarity.shape(facts, x, y)) for y in (same, apart)]
    assert min(shapes) > 0.98
    trends = [similarity.trend(facts, x, y) for y in (same, apart)]
    means = [similarity.mean_trend(pairs) for pairs in trends]
    assert means[0] > 0.96 > 0.93 > means[1]
    correlated = trends[1][1, 2]  # age and weight
    ages, weights = (facts.columns[i].numbers(facts.codes(x)[:, i]) for i in (1, 2))
    known = ~np.isnan(ages)
    r = scipy.stats.pearsonr(ages[known], weights[known])[0]
    assert correlated == pytest.approx(1 - r / 2, abs=0.03)


def test_figures_by_hand():
    columns = (
        Column("a", "categorical", values=("x", "y")),
        Column("n", "integer", values=("0", "1", "2"), missing=""),
    )
    facts = TableFacts.of(columns)
    real = np.array([[0, 0], [0, 1], [1, 2], [1, 3]], np.int32)
    other = np.array([[0, 0], [0, 0], [0, 1], [1, 3]], np.int32)
    shape = similarity.shape(facts, real, other)
    assert shape[0] == pytest.approx(1 - 0.25)
    assert shape[1] == pytest.approx(1 - 1 / 3)  # 1/3, 2/3, 1 beside 2/3, 1, 1
    # pairs (x, 0), (x, 1), (y, 2), (y, gap), of either 1/4, beside 1/2, 1/4, 0, 1/4
    assert similarity.trend(facts, real, other)[0, 1] == pytest.approx(1 - 0.25)


def test_kolmogorov_smirnov_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 30, 200).astype(float), rng.integers(3, 40, 300).astype(float)
    expected = scipy.stats.ks_2samp(a, b).statistic
    assert similarity.kolmogorov_smirnov(a, b) == pytest.approx(expected)


def test_large_codes_are_counted_sparsely(monkeypatch):
    a, b = np.array([0, 10**9, 5, 5]), np.array([10**9, 5])
    expected = 0.5 * (0.25 + 0.25 + 0)
    assert similarity.total_variation(a, b) == pytest.approx(expected)


def test_constant_and_missing_columns_have_no_correlation(facts, draw):
    x = draw(100, 0)
    gaps = x.copy()
    gaps[:, 1] = 20  # age: a gap in every row
    assert np.isnan(similarity.shape(facts, x, gaps)[1])
    pairs = similarity.trend(facts, x, gaps)
    assert np.isnan(pairs[1, 2])
    assert 0 <= similarity.mean_trend(pairs) <= 1
    assert similarity.mean_trend(np.full((1, 1), np.nan)) == 1
    assert similarity.mean_shape(np.array([np.nan])) == 1
