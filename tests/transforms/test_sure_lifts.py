"""Lifts of classes whose encoder is as sure as can be: still densities, where each has to be."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from amd_jax.ops import categorical
from amd_jax.transforms import argmax, dequantize, laws

CLASSES, DRAWS = 3, 20_000
MARGIN = dequantize.MARGIN


@dataclasses.dataclass(frozen=True)
class Sure:
    """a ~ Logistic(loc): by the sigmoid it lies at one end of the interval."""

    loc: float

    def init(self, rng, x):
        return {}

    def sample_and_log_prob(self, params, rng, x, *, train=False):
        z = jax.random.logistic(rng, x.shape)
        return z + self.loc, categorical.sum_event(laws.LOGISTIC.log_density(z))


@pytest.mark.few(1)
@pytest.mark.parametrize("loc", [-12.0, 0.0, 12.0])
def test_weights_average_to_the_mass_in_the_interval(loc):
    """Of a base as narrow as the draws; values clipped to the interval had 10^5 times as much."""
    x = jnp.ones((DRAWS, 1), jnp.int32)
    z, nats = dequantize.Variational(CLASSES, Sure(loc)).forward({}, jax.random.key(0), x)
    end = MARGIN + (1 - 2 * MARGIN) / (1 + np.exp(-loc))
    base = stats.logistic((1 + end) / CLASSES, 1e-5 if loc else 0.1)
    weights = np.exp(nats + base.logpdf(np.asarray(z, np.float64))[:, 0])
    inside = base.cdf((2 - MARGIN) / CLASSES) - base.cdf((1 + MARGIN) / CLASSES)
    error = weights.std() / DRAWS**0.5
    assert error < 0.05
    assert abs(weights.mean() - inside) < 5 * error + 0.02


@pytest.mark.few(1)
@pytest.mark.parametrize("classes", [27, 2, 256])
def test_the_whole_interval_comes_back_as_its_class(classes):
    """And the slope is that of the map."""
    u = np.array([0.0, 2.0**-24, 0.5, 1 - 2.0**-24, 1.0], np.float32)
    u, x = (a.reshape(-1, 1) for a in np.meshgrid(u, np.arange(classes), indexing="ij"))

    @jax.jit
    def there_and_back(x, u):
        z, nats = dequantize._place(x, u, classes, 0.0)
        slope = jax.grad(lambda u: dequantize._place(x, u, classes, 0.0)[0].sum())(u)
        return dequantize.Uniform(classes).inverse({}, jax.random.key(0), z), nats, slope

    back, nats, slope = there_and_back(x, u)
    np.testing.assert_array_equal(back, x)
    points = np.array([[-0.01, 1.01]], np.float32)
    outside = dequantize.Uniform(classes).inverse({}, jax.random.key(0), points)
    assert not np.isin(outside, np.arange(classes)).any()
    np.testing.assert_allclose(nats, np.log(slope[:, 0]), rtol=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("loc", [-60.0, -20.0, 0.0, 20.0, 300.0])
def test_a_sign_has_the_mass_of_its_half_line(loc):
    """z = ±softplus(u) of draws near 0, too small for float32's softplus, or large."""
    x = jnp.ones((DRAWS, 1), jnp.int32)
    z, nats = argmax.BinaryArgmax(Sure(loc)).forward({}, jax.random.key(0), x)
    assert (z > 0).all()
    base = stats.logistic(np.logaddexp(0, loc), max(np.exp(min(loc, 0)), 1e-30))
    weights = np.exp(nats + base.logpdf(np.asarray(z, np.float64))[:, 0])
    error = weights.std() / DRAWS**0.5
    assert error < 0.05
    assert abs(weights.mean() - base.sf(0)) < 5 * error + 1e-3


class Constant(nn.Module):
    """The same φ for every context."""

    values: tuple[float, ...]

    @nn.compact
    def __call__(self, x, *, train=False):
        return jnp.broadcast_to(jnp.array(self.values), (*x.shape, len(self.values)))


@pytest.mark.few(1)
@pytest.mark.parametrize("gap", [0.0, 20.0, 104.0, 1e3])
def test_a_gumbel_lift_is_tight_however_sure_its_locations_are(gap):
    """On a base of the same locations every draw is log softmax(φ)_x."""
    phi = (gap, 0.0, -1.0)
    base = laws.Fixed(laws.GUMBEL, jnp.stack([jnp.array(phi), jnp.zeros(3)], axis=-1))
    lift = argmax.GumbelArgmax(3, Constant(phi))
    x = jnp.tile(jnp.arange(3)[:, None], (200, 1))
    z, nats = lift.forward({}, jax.random.key(1), x)
    np.testing.assert_array_equal(z[:, 0].argmax(axis=-1), x[:, 0])
    want = jax.nn.log_softmax(jnp.array(phi))[x[:, 0]]
    np.testing.assert_allclose(base.log_prob({}, z) + nats, want, rtol=1e-5, atol=2e-4)
