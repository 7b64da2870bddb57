"""The Gumbel maps against closed forms, and their slopes against automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from amd_jax.ops import gumbel

LINE = jnp.concatenate([jnp.linspace(-60, 60, 241), jnp.array([-1e-3, 1e-3, 14.99, 15.01])])


def test_density_is_that_of_scipy():
    g = np.linspace(-3, 12, 50)
    want = stats.gumbel_r(loc=0.7).logpdf(g)
    np.testing.assert_allclose(gumbel.log_prob(jnp.asarray(g), 0.7), want, rtol=1e-5)


def test_threshold_is_the_inverse_cdf_of_the_truncated_gumbel():
    """u = φ + G has CDF c; the value has that CDF c under Gumbel(φ) cut off at the ceiling."""
    ceiling, u, law = 1.1, np.linspace(-4, 8, 60), stats.gumbel_r(loc=0.3)
    value, log_slope = jax.jit(gumbel.threshold)(jnp.asarray(u), jnp.asarray(ceiling))
    np.testing.assert_allclose(law.cdf(value) / law.cdf(ceiling), law.cdf(u), atol=1e-6)
    np.testing.assert_allclose(log_slope, -np.logaddexp(0, u - ceiling), rtol=1e-5)  # log σ(T - u)


def test_threshold_stays_below_and_its_slope_is_that_of_jax():
    @jax.jit
    def threshold(u, ceiling):
        value, pull, log_slope = jax.vjp(lambda u: gumbel.threshold(u, ceiling), u, has_aux=True)
        return value, log_slope, pull(jnp.ones_like(u))[0]

    for ceiling in (-40.0, 0.0, 3.0):
        value, log_slope, slope = threshold(LINE, jnp.asarray(ceiling))
        assert (value < ceiling).all()
        seen = np.asarray(LINE) < ceiling + 10  # beyond, float32 rounds the value to the ceiling
        np.testing.assert_allclose(np.exp(log_slope)[seen], slope[seen], rtol=1e-4)
        assert np.isfinite(log_slope).all()


def test_inverse_cdf_of_a_logit():
    value, pull, log_slope = jax.vjp(jax.jit(gumbel.from_logit), LINE, has_aux=True)
    a = np.asarray(LINE, np.float64)
    want = -np.log(np.logaddexp(0, -a))
    np.testing.assert_allclose(value, want, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(log_slope, want - np.logaddexp(0, a), rtol=1e-5, atol=3e-6)
    np.testing.assert_allclose(np.exp(log_slope), *pull(jnp.ones_like(LINE)), rtol=1e-4)
