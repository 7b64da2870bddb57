"""Errors cover as often as they say, whether rows depend on each other or not."""

import numpy as np
import pytest
from scipy import signal, stats

from amd_jax.evaluation import means
from amd_jax.evaluation.means import PerRow

ROWS, SERIES = 602, 2000  # as many rows as the test text of 3 MB of Wikipedia has
CHANCE = 4 * (0.95 * 0.05 / SERIES) ** 0.5  # four standard errors of a share of 95 % of the series


def autoregressive(lag_1, seed=0, rows=ROWS, number=SERIES):
    """Series x_i = lag_1 x_{i - 1} + e_i with the mean 0 and the variance 1: (number, rows)."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((number, rows)) * (1 - lag_1**2) ** 0.5
    noise[:, 0] = rng.standard_normal(number)  # so that it starts as it goes on
    return signal.lfilter([1.0], [1.0, -lag_1], noise, axis=1)


def variance_of_mean(lag_1, rows=ROWS):
    """Σ_ij lag_1^|i - j| / N²."""
    lags = np.arange(1, rows)
    return (rows + 2 * ((rows - lags) * lag_1**lags).sum()) / rows**2


def coverage(result, truth, units):
    """The share of pairs (mean, error) that are within the 95 % of Student's t of the truth."""
    mean, error = np.array(result).T
    return (abs(mean - truth) < stats.t.ppf(0.975, units - 1) * error).mean()


@pytest.mark.parametrize("lag_1", [0.0, 0.41])
def test_blocks_cover_as_often_as_they_say(lag_1):
    series = autoregressive(lag_1)
    truth = variance_of_mean(lag_1)
    assert series.mean(axis=1).var() == pytest.approx(truth, rel=0.15)  # it is what it says
    result = [means.of(values) for values in series]
    assert abs(coverage(result, 0.0, means.blocks(ROWS)) - 0.95) < CHANCE
    squared = np.mean([error**2 for _, error in result])
    assert squared == pytest.approx(truth, rel=0.08)


def test_rows_taken_for_independent_cover_too_seldom():
    """The formula without blocks, for rows with the lag-1 correlation of order-6 counts."""
    result = [means.of(values, independent=True) for values in autoregressive(0.41)]
    assert coverage(result, 0.0, ROWS) < 0.84


def test_few_rows_are_covered_too_if_they_are_independent():
    for rows in (4, 9, 60):
        result = [means.of(values) for values in autoregressive(0.0, rows, rows)]
        assert abs(coverage(result, 0.0, means.blocks(rows)) - 0.95) < CHANCE, rows


def test_a_ratio_of_rows_of_different_lengths_is_covered():
    """Bits per token of 1.5 on average, more in long rows."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 65, (SERIES, ROWS))
    rates = 1 + lengths / 64 + 0.3 * autoregressive(0.41)
    truth = 1 + (np.arange(1, 65) ** 2).mean() / 64 / np.arange(1, 65).mean()
    result = [means.ratio(rate * n, n) for rate, n in zip(rates, lengths, strict=True)]
    assert abs(coverage(result, truth, means.blocks(ROWS)) - 0.95) < CHANCE
    by_rows = [
        means.ratio(r * n, n, independent=True) for r, n in zip(rates, lengths, strict=True)
    ]
    assert coverage(by_rows, truth, ROWS) < 0.92


def test_a_difference_is_as_sure_as_what_two_models_do_not_share():
    """Rows are hard or easy for both: most of either error falls out of their difference."""
    shared = autoregressive(0.41, 2)
    own = 0.1 * autoregressive(0.0, 3)
    counts = np.full(ROWS, 2)
    pairs = [
        (PerRow(2 * (2.1 + hard + noise), counts), PerRow(2 * (2.0 + hard), counts))
        for hard, noise in zip(shared, own, strict=True)
    ]
    result = [one.minus(other).mean() for one, other in pairs]
    assert abs(coverage(result, 0.1, means.blocks(ROWS)) - 0.95) < CHANCE
    for (one, other), (_, error) in zip(pairs[:50], result, strict=False):
        together = np.hypot(one.mean()[1], other.mean()[1])
        assert error < together / 8  # 22 on average
    value, _ = result[0]
    assert value == pytest.approx(pairs[0][0].mean()[0] - pairs[0][1].mean()[0])


def test_independent_rows_are_their_own_blocks():
    """As by hand: the standard error of a mean, and Cochran's of a ratio."""
    rng = np.random.default_rng(4)
    values, counts = rng.standard_normal(50), rng.integers(1, 9, 50)
    mean, error = means.of(values, independent=True)
    assert (mean, error) == pytest.approx((values.mean(), values.std(ddof=1) / 50**0.5))
    mean, error = PerRow(values, counts).mean(independent=True)
    rest = values - values.sum() / counts.sum() * counts
    assert mean == pytest.approx(values.sum() / counts.sum())
    assert error == pytest.approx((rest**2).sum() ** 0.5 / (49 * 50) ** 0.5 / counts.mean())


@pytest.mark.parametrize(("rows", "ends"), [(5, [1, 2, 3]), (15, [3, 7, 11])])
def test_blocks_by_hand(rows, ends):
    """Four blocks, whose sizes differ by one row at most."""
    values = np.arange(rows) ** 2.0
    rest = [part.sum() - len(part) * values.mean() for part in np.split(values, ends)]
    error = (np.square(rest).sum() / 3 / 4) ** 0.5 / (rows / 4)
    assert means.of(values) == pytest.approx((values.mean(), error))


def test_about_as_many_blocks_as_rows_in_each():
    assert [means.blocks(n) for n in (1, 2, 3, 4, 5, 15, 16, 60, 602, 19_531)] == [
        *(1, 2, 3, 4, 4, 4, 4, 8, 25, 140)
    ]


def test_what_has_no_error_says_so():
    for independent in (False, True):
        assert means.of(np.array([2.5]), independent=independent)[0] == 2.5
        assert np.isnan(means.of(np.array([2.5]), independent=independent)[1])
    value, error = means.ratio(np.zeros(9), np.zeros(9, int))
    assert value == 0.0
    assert np.isnan(error)


@pytest.mark.parametrize(
    ("counts", "found"), [([3] * 5, "15 in 5 rows"), ([3, 3, 3, 4], "13 in 4 rows")]
)
def test_figures_of_other_rows_are_not_subtracted(counts, found):
    one, other = (PerRow(np.ones(len(n)), np.array(n)) for n in ([3] * 4, counts))
    with pytest.raises(ValueError, match=f"these count 12 in 4 and {found}"):
        one.minus(other)


def test_differences_in_words():
    assert means.signed(0.2083, 0.0101) == "+0.208 ± 0.010"
    assert means.signed(-0.0123, 0.0021, ".2%") == "-1.23% ± 0.21%"
    assert means.signed(-1e-9, float("nan")) == "+0.000"
