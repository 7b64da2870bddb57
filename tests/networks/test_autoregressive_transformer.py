"""AutoregressiveTransformer: what its inputs show, and its two ways to be called."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.ops import scalars
from amd_jax.transforms.autoregressive import Autoregressive
from tests import zoo

NETWORK = networks.AutoregressiveTransformer(16, components=3, heads=2, taps=3)
V = np.random.default_rng(0).normal(size=(2, 4, 2)).astype("f")


@pytest.mark.slow
@pytest.mark.parametrize("taps", [1, 2])
def test_taps_show_what_lies_near_without_attention(taps):
    """Where blocks are still the identity."""
    x, network = np.stack([V[0], V[0]]), NETWORK.clone(taps=taps)
    x[1, 0] += 1
    out, _ = jax.jit(network.init_with_output)(jax.random.key(1), x)
    moved = np.abs(out[0] - out[1]).max(axis=(1, 2)) > 0
    np.testing.assert_array_equal(moved, np.arange(4) <= taps)


@pytest.mark.slow
def test_the_inverse_walks_back():
    layer, rng = Autoregressive(NETWORK, scalars.LogisticMixture(3)), jax.random.key(2)
    params = zoo.drawn(layer, V, scale=0.25)
    z, log_slope = jax.jit(layer.forward)(params, rng, V)
    np.testing.assert_allclose(jax.jit(layer.inverse)(params, rng, z), V, atol=5e-4)
    flat = jax.jit(jax.jacobian(lambda v: layer.forward(params, rng, v[None])[0].ravel()))
    diagonal = np.diag(flat(V[0]).reshape(V[0].size, -1))
    np.testing.assert_allclose(np.log(diagonal).sum(), log_slope[0], atol=1e-4)


@pytest.mark.slow
def test_octaves_tell_apart_what_lies_close_together():
    near = jnp.tile(jnp.array([0.0, 0.1])[:, None, None], (1, 4, 1))

    def change(octaves):
        network = NETWORK.clone(octaves=octaves, taps=1)
        out = jax.jit(network.apply)(zoo.drawn(network, near, scale=0.25), near)
        return jnp.abs(out[0] - out[1])[1:].mean()

    assert change(6) > 2 * change(0)
