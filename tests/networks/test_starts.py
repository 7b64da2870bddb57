"""Where networks start: at zero, at frequencies that they are given, with components apart."""

import jax
import numpy as np
import pytest

from amd_jax import networks
from tests import zoo
from tests.variants import quick

K = 3
X, T = np.array([[0, 1, 2, 1]]), np.array([0.2], np.float32)
V = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("f")
LOGS = tuple(np.log([0.5, 0.2, 0.3]).tolist())
HOLLOW = networks.Hollow(K, width=8, blocks=1, join_width=8, join_blocks=1)
DENSE = networks.DenseNet(5, blocks=1, growth=3, depth=2, width=8)
STARTS = {  # network, its inputs, what it puts out at every place
    "linear transformer": (
        networks.LinearTransformer(K, dim=8, depth=1, heads=2, local_heads=1, window=4),
        *((X, T), 0),
    ),
    "hollow": (HOLLOW, (X, T), 0),
    "hollow of frequencies": (HOLLOW.clone(log_frequencies=LOGS), (X, T), LOGS),
    "dense": (DENSE, (V,), 0),
    "dense map": (DENSE, (V[..., None],), 0),
    "mlp": (networks.MLP(3, width=4), (V,), 0),
    "fields": (networks.FieldContext((2, 4, 3, 2), 6, width=8), (X,), 0),
    "context lstm": (networks.ContextLSTM(K, 4, width=8, context=4), (X,), 0),
    "pointwise context": (networks.PointwiseContext(K, 4, width=8, context=4), (X,), 0),
}


@pytest.mark.parametrize("name", quick(STARTS, "dense", "fields", "context lstm", slow=STARTS))
def test_outputs_start_at_zero_or_where_they_are_told(name):
    """By its parameters, not for ever: others move it."""
    network, inputs, start = STARTS[name]
    out, _ = jax.jit(network.init_with_output)(jax.random.key(0), *inputs)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, np.broadcast_to(start, out.shape), atol=1e-6)
    moved = jax.jit(network.apply)(zoo.drawn(network, *inputs), *inputs)
    assert (abs(moved - out).max(axis=-1) > 1e-3).all()


COMPONENTS = {
    "lstm": networks.AutoregressiveLSTM(16, 3),
    "lstm both ways": networks.BidirectionalLSTM(16, 2, 3),
    "set": networks.SetTransformer(2, 3, width=8, heads=2),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", COMPONENTS)
def test_the_components_of_a_mixture_start_apart(name):
    out, _ = jax.jit(COMPONENTS[name].init_with_output)(jax.random.key(0), V[..., :2])
    wanted = np.append(np.zeros(5), [-1, 0, 1, 0, 0, 0])  # shift, scale, logits, means, scales
    np.testing.assert_allclose(out, np.broadcast_to(wanted, out.shape), atol=0.3)
