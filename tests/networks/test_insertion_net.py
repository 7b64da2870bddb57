"""Gaps of a network of gaps and tokens; what it puts out is in `test_sight.py`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax import networks
from tests import zoo


def test_gaps_fall_like_the_share_of_dropped_tokens():
    """By 2^-16, which is t², from a time near data to the next."""
    network = networks.InsertionNet(networks.Transformer(6, width=8, blocks=1, heads=2), 3)
    x = jnp.array([[0, 4, 2, 3, 3]])  # 3 is the padding, 4 a mask
    apply = jax.jit(functools.partial(network.apply, zoo.drawn(network, x, jnp.ones(1))))
    near, nearer = (apply(x, jnp.array([t]))[0] for t in (2.0**-12, 2.0**-20))
    np.testing.assert_allclose(near - nearer, 16 * np.log(2), rtol=1e-3)
