"""A network of gaps and tokens, whose gaps die out with time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax import networks
from tests import zoo

K, LENGTH = 3, 5
NETWORK = networks.InsertionNet(networks.Transformer(K + 3, width=8, blocks=1, heads=2), K)
X = jnp.array([[0, 4, 2, 3, 3]])  # K is the padding, K + 1 a mask


@functools.cache
def outputs():
    """The network as a function of rows and times, with random parameters."""
    return jax.jit(functools.partial(NETWORK.apply, zoo.drawn(NETWORK, X, jnp.ones(1))))


def test_there_is_a_number_for_each_gap_and_a_law_for_each_place():
    log_gaps, logits = outputs()(X, jnp.ones(1))
    assert log_gaps.shape == (1, LENGTH + 1)
    assert logits.shape == (1, LENGTH, K)


def test_gaps_fall_like_the_share_of_dropped_tokens():
    """By 2^-16, which is t², from a time near data to the next."""
    near, nearer = (outputs()(X, jnp.array([t]))[0] for t in (2.0**-12, 2.0**-20))
    np.testing.assert_allclose(near - nearer, 16 * np.log(2), rtol=1e-3)
