"""The Gumbel maps against closed forms, and their slopes against automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from amd_jax.ops import gumbel

LINE = jnp.concatenate([jnp.linspace(-60, 60, 241), jnp.array([-1e-3, 1e-3, 14.99, 15.01])])


def test_density_is_that_of_scipy():
    g = np.linspace(-3, 12, 50)
    want = stats.gumbel_r(loc=0.7).logpdf(g)
    np.testing.assert_allclose(gumbel.log_prob(jnp.asarray(g), 0.7), want, rtol=1e-5)


def test_threshold_is_the_inverse_cdf_of_the_truncated_gumbel():
    """u = φ + G has CDF c; the value has that CDF c under Gumbel(φ) cut off at the ceiling."""
    loc, ceiling = 0.3, 1.1
    u = np.linspace(-2, 8, 60)
    value, _ = gumbel.threshold(jnp.asarray(u), jnp.asarray(ceiling))
    law = stats.gumbel_r(loc=loc)
    np.testing.assert_allclose(law.cdf(value) / law.cdf(ceiling), law.cdf(u), atol=1e-6)


@pytest.mark.slow
def test_threshold_stays_below_and_its_slope_is_that_of_jax():
    for ceiling in (-40.0, 0.0, 3.0):
        value, log_slope = gumbel.threshold(LINE, jnp.asarray(ceiling))
        assert (value < ceiling).all()
        slope = jax.vmap(jax.grad(lambda u, t=ceiling: gumbel.threshold(u, jnp.asarray(t))[0]))
        seen = np.asarray(LINE) < ceiling + 10  # beyond, float32 rounds the value to the ceiling
        np.testing.assert_allclose(np.exp(log_slope)[seen], slope(LINE)[seen], rtol=1e-4)
        assert np.isfinite(log_slope).all()


@pytest.mark.slow
def test_inverse_cdf_of_a_logit():
    a = np.asarray(LINE, np.float64)
    value, log_slope = gumbel.from_logit(LINE)
    want = -np.log(np.logaddexp(0, -a))
    np.testing.assert_allclose(value, want, rtol=2e-6, atol=2e-6)
    want_slope = -np.logaddexp(0, a) - np.log(np.logaddexp(0, -a))
    np.testing.assert_allclose(log_slope, want_slope, rtol=1e-5, atol=3e-6)
    slope = jax.vmap(jax.grad(lambda a: gumbel.from_logit(a)[0]))(LINE)
    np.testing.assert_allclose(np.exp(log_slope), slope, rtol=1e-4)


def test_log_slope_of_the_threshold():
    u = np.linspace(-4, 6, 21)
    _, log_slope = gumbel.threshold(jnp.asarray(u), jnp.asarray(1.1))
    np.testing.assert_allclose(log_slope, -np.logaddexp(0, u - 1.1), rtol=1e-5)  # log σ(T - u)
