"""Standard errors of means over rows, against other forms of them and against repetition."""

import numpy as np
import pytest

from amd_jax.evaluation import means


def rows(seed, n):
    """Lengths of rows, and sums that grow with them but for noise: what bits of texts are like."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, 12, n).astype(float)
    return counts * rng.normal(1.8, 0.4, n) + rng.normal(0.5, 0.3, n), counts


def test_the_error_of_a_ratio_is_cochrans():
    """(var y - 2 r cov + r² var x) / n / mean(x)², with residuals against r = Σ y / Σ x."""
    y, x = rows(0, 50)
    mean, error = means.ratio(y, x)
    r = y.sum() / x.sum()
    variance = y.var(ddof=1) - 2 * r * np.cov(y, x)[0, 1] + r**2 * x.var(ddof=1)
    assert mean == pytest.approx(r, rel=1e-12)
    assert error == pytest.approx((variance / 50) ** 0.5 / x.mean(), rel=1e-12)


def test_the_error_of_a_ratio_is_the_spread_of_many():
    found = np.array([means.ratio(*rows(seed, 60)) for seed in range(1000)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.1)


def test_rows_of_one_ratio_have_no_error():
    """However long they are: what counts is how far a row is from the mean of all."""
    _, x = rows(0, 20)
    mean, error = means.ratio(1.5 * x, x)
    assert mean == pytest.approx(1.5)
    assert error == pytest.approx(0, abs=1e-12)


def test_of_rows_of_one_length_it_is_the_plain_error():
    y, _ = rows(3, 30)
    mean, error = means.of(y)
    assert (mean, error) == pytest.approx((y.mean(), y.std(ddof=1) / 30**0.5), rel=1e-12)
    assert means.ratio(y, np.full(30, 7.0)) == pytest.approx((mean / 7, error / 7), rel=1e-12)


def test_one_row_has_no_error():
    mean, error = means.of(np.array([2.5]))
    assert mean == 2.5
    assert np.isnan(error)
