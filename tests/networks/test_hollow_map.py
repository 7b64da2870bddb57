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


def labelled(size):
    return networks.HollowMap(
        6, width=8, dilations=(1,), window=1, join_width=8, join_blocks=1, size=size
    )


@pytest.mark.slow
def test_with_a_label_every_token_sees_the_others_but_not_itself():
    """The label sees every pixel, each pixel the label and what is near: in every state."""
    module, shape = labelled((3, 4)), (1, 13)
    params = jax.jit(module.init)(jax.random.key(0), jnp.zeros(shape, int), jnp.zeros(1))
    leaves, tree = jax.tree.flatten(params)
    rngs = jax.random.split(jax.random.key(1), len(leaves))
    shaken = [a + 0.5 * jax.random.normal(r, a.shape) for r, a in zip(rngs, leaves, strict=True)]
    params = jax.tree.unflatten(tree, shaken)
    x = jax.random.randint(jax.random.key(2), shape, 0, 6)
    changed = jnp.where(jnp.eye(13, dtype=bool), (x + 1) % 6, x)
    apply = jax.jit(lambda x: module.apply(params, x, jnp.full(13, 0.5)))
    before = apply(jnp.broadcast_to(x, changed.shape))
    assert before.shape == (13, 13, 6)
    moved = np.abs(apply(changed) - before).max(axis=-1)
    np.testing.assert_array_equal(np.diag(moved), 0)
    assert (moved[0, 1:] > 1e-5).all(), "a pixel does not see the label"
    assert (moved[1:, 0] > 1e-5).all(), "the label does not see a pixel"


def test_without_labels_the_parameters_are_as_before():
    x, t = jax.ShapeDtypeStruct((2, 4, 5), np.int32), jax.ShapeDtypeStruct((2,), np.float32)
    params = jax.eval_shape(labelled(()).init, jax.random.key(0), x, t)["params"]
    towers = [
        f"{tower}_{part}"
        for tower in ("before", "after")
        for part in ("above_0", "above_in", "beside_0", "beside_in", "columns", "rows")
    ]
    assert sorted(params) == sorted([*towers, "join", "joint_0", "out", "time"])


def test_rows_that_are_no_label_and_pixels_are_refused():
    x, t = jax.ShapeDtypeStruct((2, 12), np.int32), jax.ShapeDtypeStruct((2,), np.float32)
    with pytest.raises(ValueError, match=r"size=\(3, 4\) is for rows of a label and 12 pixels"):
        jax.eval_shape(labelled((3, 4)).init, jax.random.key(0), x, t)
