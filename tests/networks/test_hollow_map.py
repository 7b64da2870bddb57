import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks

K, SHAPE = 3, (4, 5)


@pytest.fixture(scope="module")
def apply():
    """Logits as a function of x_t and t, with parameters that open every path."""
    module = networks.HollowMap(K, width=8, dilations=(1,), window=1, join_width=8, join_blocks=1)
    x, t = jnp.zeros((1, *SHAPE), jnp.int32), jnp.array([0.5])
    params = jax.jit(module.init)(jax.random.key(0), x, t)["params"]
    leaves, tree = jax.tree.flatten(params)
    rngs = jax.random.split(jax.random.key(1), len(leaves))
    shaken = [a + 0.5 * jax.random.normal(r, a.shape) for r, a in zip(rngs, leaves, strict=True)]
    params = jax.tree.unflatten(tree, shaken)
    return jax.jit(lambda x, t: module.apply({"params": params}, x, t))


@pytest.mark.slow
def test_every_pixel_in_reach_but_the_own_one_is_seen(apply):
    x = jax.random.randint(jax.random.key(2), (1, *SHAPE), 0, K)
    size = SHAPE[0] * SHAPE[1]
    changed = jnp.where(jnp.eye(size, dtype=bool).reshape(size, *SHAPE), (x + 1) % K, x)
    t = jnp.full(size, 0.5)
    before = apply(jnp.broadcast_to(x, changed.shape), t)
    moved = np.abs(apply(changed, t) - before).max(axis=-1).reshape(size, size)
    np.testing.assert_array_equal(np.diag(moved), 0)
    row, column = np.divmod(np.arange(size), SHAPE[1])
    down, right = row[:, None] - row, column[:, None] - column
    near = (abs(down) <= 1) & (abs(right) <= 1) & (np.arange(size)[:, None] != np.arange(size))
    assert (moved[near] > 1e-5).all()


@pytest.mark.slow
def test_maps_of_another_size_are_refused():
    module = networks.HollowMap(K, width=8, dilations=(1,), window=1, join_width=8, join_blocks=1)
    params = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 2, 2), int), jnp.zeros(1))
    with pytest.raises(ValueError, match="initialised for maps of 2 x 2; got 4 x 2"):
        module.apply(params, jnp.zeros((1, 4, 2), int), jnp.zeros(1))
