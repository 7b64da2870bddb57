"""A network of gaps and tokens sees its whole row, and its gaps die out with time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax import networks

K, LENGTH = 3, 5
NETWORK = networks.InsertionNet(networks.Transformer(K + 3, width=8, blocks=1, heads=2), K)
X = jnp.array([[0, 4, 2, 3, 3]])  # K is the padding, K + 1 a mask


@functools.cache
def outputs():
    """The network as a function of rows and times, with random parameters."""
    shapes = jax.eval_shape(NETWORK.init, jax.random.key(0), X, jnp.ones(1))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda a: rng.normal(scale=0.5, size=a.shape).astype(a.dtype), shapes)
    return jax.jit(functools.partial(NETWORK.apply, params))


def test_there_is_a_number_for_each_gap_and_a_law_for_each_place():
    log_gaps, logits = outputs()(X, jnp.ones(1))
    assert log_gaps.shape == (1, LENGTH + 1)
    assert logits.shape == (1, LENGTH, K)


def test_every_output_depends_on_every_token():
    others = jnp.tile(X, (LENGTH, 1))
    others = jnp.where(jnp.eye(LENGTH, dtype=bool), (others + 1) % (K + 2), others)
    t = jnp.full(LENGTH, 0.5)
    for before, after in zip(outputs()(X, t[:1]), outputs()(others, t), strict=True):
        moved = abs(after - before).reshape(LENGTH, before.shape[1], -1).max(axis=-1)
        assert (moved > 1e-5).all()


def test_gaps_fall_like_the_share_of_dropped_tokens():
    """By 2^-16, which is t², from a time near data to the next."""
    near, nearer = (outputs()(X, jnp.array([t]))[0] for t in (2.0**-12, 2.0**-20))
    np.testing.assert_allclose(near - nearer, 16 * np.log(2), rtol=1e-3)
