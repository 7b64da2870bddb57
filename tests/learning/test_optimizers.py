import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.learning import optimizers


@pytest.mark.slow
def test_muon_takes_the_hidden_matrices_of_hollow():
    network = networks.Hollow(5, width=8, blocks=1, heads=2, join_width=8, join_blocks=1, taps=2)
    params = network.init(jax.random.key(0), jnp.zeros((1, 4), jnp.int32), jnp.array([0.5]))
    labels = optimizers.hidden_matrices(params["params"])
    is_leaf = lambda leaf: leaf is None or not isinstance(leaf, dict)  # noqa: E731
    flat, _ = jax.tree_util.tree_flatten_with_path(labels, is_leaf=is_leaf)
    names = {"/".join(key.key for key in path): label for path, label in flat}
    taken = {name for name, label in names.items() if label is not None}
    assert taken == {
        f"{block}/{matrix}/kernel"
        for block in ("past_0", "future_0", "joint_0")
        for matrix in ("hidden", "back")
    } | {"join/kernel"}


@pytest.mark.slow
def test_muon_warms_up_and_ends_at_zero():
    optimizer = optimizers.muon(0.1, 0.01, warmup_steps=2, num_steps=4)
    params = {"mlp": {"kernel": jnp.eye(3) + 0.1}, "out": {"kernel": jnp.ones((3, 2))}}
    grads = jax.tree.map(lambda a: a + 0.3, params)
    state, sizes = optimizer.init(params), []
    for _ in range(5):
        updates, state = optimizer.update(grads, state, params)
        sizes.append([float(abs(u).max()) for u in jax.tree.leaves(updates)])
    sizes = np.array(sizes)
    assert (sizes[0] == 0).all()
    assert (sizes[1:4] > 0).all()
    assert (sizes[2] > sizes[1]).all()
    assert (sizes[2] > sizes[3]).all()
    assert (sizes[4] == 0).all()
    assert sizes[2, 0] > 3 * sizes[2, 1]  # the two peaks


def test_a_rate_rises_to_its_peak_and_falls_to_zero():
    rate = optimizers.rise_and_fall(0.1, 2, 6)
    result = [float(rate(i)) for i in (0, 1, 2, 4, 6)]
    np.testing.assert_allclose(result, [0, 0.05, 0.1, 0.05, 0], atol=1e-8)
