import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.densenet import DenseNet

NETWORK = DenseNet(5, blocks=1, growth=3, depth=2, width=8)


@pytest.mark.parametrize("event", [(9,), pytest.param((9, 7), marks=pytest.mark.slow)])
def test_outputs_start_at_zero(event):
    x = np.random.default_rng(0).normal(size=(2, *event, 3)).astype("f")
    out, _ = jax.jit(NETWORK.init_with_output)(jax.random.key(1), x)
    assert (out.shape, out.dtype) == ((2, *event, 5), jnp.float32)
    assert (out == 0).all()
