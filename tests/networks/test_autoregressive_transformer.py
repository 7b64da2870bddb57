"""AutoregressiveTransformer: what it sees, and its two ways to be called."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.ops import scalars
from amd_jax.transforms.autoregressive import Autoregressive

NETWORK = networks.AutoregressiveTransformer(16, components=3, heads=2, taps=3)
V = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 2)), jnp.float32)


def shaken(network, v=V):
    rng = np.random.default_rng(0)
    params = jax.jit(network.init)(jax.random.key(1), v)
    return jax.tree.map(lambda w: w + 0.2 * rng.standard_normal(w.shape).astype("f"), params)


@pytest.mark.slow
def test_taps_show_what_lies_near_without_attention():
    def moved_by_the_first(taps):
        network = NETWORK.clone(taps=taps)
        x = jnp.stack([V[0], V[0].at[0].add(1.0)])  # where blocks are still the identity
        out, _ = jax.jit(network.init_with_output)(jax.random.key(1), x)
        return np.abs(out[0] - out[1]).max(axis=(1, 2)) > 0

    np.testing.assert_array_equal(moved_by_the_first(1), [True, True, False, False])
    np.testing.assert_array_equal(moved_by_the_first(2), [True, True, True, False])


@pytest.mark.slow
def test_the_inverse_walks_back():
    layer = Autoregressive(NETWORK, scalars.LogisticMixture(3))
    params, rng = shaken(NETWORK)["params"], jax.random.key(2)
    z, log_slope = jax.jit(layer.forward)(params, rng, V)
    np.testing.assert_allclose(jax.jit(layer.inverse)(params, rng, z), V, atol=5e-4)
    jacobian = jax.jit(jax.jacobian(lambda v: layer.forward(params, rng, v[None])[0].ravel()))(
        V[0]
    )
    diagonal = np.diag(jacobian.reshape(V[0].size, -1))
    np.testing.assert_allclose(np.log(diagonal).sum(), log_slope[0], atol=1e-4)


@pytest.mark.slow
def test_octaves_tell_apart_what_lies_close_together():
    near = jnp.tile(jnp.array([0.0, 0.1])[:, None, None], (1, 4, 1))

    def change(octaves):
        network = NETWORK.clone(octaves=octaves, taps=1)
        out = jax.jit(network.apply)(shaken(network, near), near)
        return jnp.abs(out[0] - out[1])[1:].mean()

    assert change(6) > 2 * change(0)
