"""Flows over time."""

import jax
import numpy as np

from amd_jax import networks
from amd_jax.ops import scalars
from amd_jax.transforms import coupling, recurrent
from tests import zoo


def test_a_flow_over_time_walks_back():
    """From step to step, each given those before it: its LSTM walks as it reads."""
    x = jax.random.normal(jax.random.key(0), (3, 4, 2))
    moving = coupling.Coupling(networks.MLP(2, 4), scalars.Affine(1.0), context=3)
    layer = recurrent.Recurrent(networks.LatentLSTM(3, 4, layers=2), 3, (moving,))
    params = zoo.drawn(layer, x)

    @jax.jit
    def there_and_back(x):
        z, _ = layer.forward(params, jax.random.key(1), x)
        return z, layer.inverse(params, jax.random.key(2), z)

    z, back = there_and_back(x)
    np.testing.assert_allclose(back, x, atol=1e-4)
    other, _ = there_and_back(x.at[:, 0].add(1.0))
    assert (abs(other - z)[:, 1:].max(axis=(0, 2)) > 1e-4).all()  # the first step moves the others
