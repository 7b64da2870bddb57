"""DenseNet: it starts at zero, sees as far as its convolutions, and drops out in training only."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.densenet import DenseNet

NETWORK = DenseNet(5, blocks=1, growth=3, depth=2, width=8)
SHAPES = [
    pytest.param((2, 9, 3), id="sequences"),
    pytest.param((2, 9, 7, 3), id="maps", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=SHAPES)
def situation(request):
    """x, parameters as they start, and the same parameters pushed off."""
    x = jax.random.normal(jax.random.key(0), request.param)
    start = jax.jit(NETWORK.init)(jax.random.key(1), x)
    rng = np.random.default_rng(0)
    moved = jax.tree.map(lambda w: w + 0.1 * rng.standard_normal(w.shape).astype("f"), start)
    return x, start, moved


def test_outputs_start_at_zero(situation):
    x, start, moved = situation
    out = jax.jit(NETWORK.apply)(start, x)
    assert out.shape == (*x.shape[:-1], 5)
    assert out.dtype == jnp.float32
    assert (out == 0).all()
    assert jax.jit(NETWORK.apply)(moved, x).std() > 0.05


def test_each_layer_sees_one_place_further(situation):
    """Two convolutions, 3 wide on every axis: what is 2 away matters, what is 3 away does not."""
    x, _, moved = situation
    ndim = x.ndim - 2
    other = x.at[(0, 4, 3)[: ndim + 1]].add(1.0)
    out = jax.jit(NETWORK.apply)
    change = np.abs(out(moved, other) - out(moved, x)).max(-1)
    assert (change[1] == 0).all()
    for places, middle in zip(np.nonzero(change[0] > 1e-6), (4, 3), strict=False):
        assert (places.min(), places.max()) == (middle - 2, middle + 2)


@pytest.mark.slow
def test_dropout_acts_in_training_only(situation):
    x, _, moved = situation
    network = NETWORK.clone(dropout=0.5)
    expected = jax.jit(NETWORK.apply)(moved, x)
    np.testing.assert_array_equal(jax.jit(network.apply)(moved, x), expected)
    trained = network.apply(moved, x, train=True, rngs={"dropout": jax.random.key(0)})
    assert np.abs(trained - expected).max() > 1e-3


def test_sizes_that_make_no_network_are_refused():
    x = jnp.zeros((1, 4, 2))
    with pytest.raises(ValueError, match="depth must be at least 1; got depth=0"):
        NETWORK.clone(depth=0).init(jax.random.key(0), x)
    with pytest.raises(ValueError, match=r"got shape \(1, 2\)"):
        NETWORK.init(jax.random.key(0), x[:, 0])
