"""Couplings by their Jacobian: which channels pass, which move, and which say how."""

import jax
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.ops import scalars
from amd_jax.transforms import coupling
from tests import zoo

RNG = jax.random.key(0)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("channels", "context", "moving", "passing"),
    [
        (5, 0, None, 2),  # the larger half moves
        (6, 3, None, 4),
        (7, 1, 2, 5),
        (5, 0, 4, 1),
    ],
)
def test_the_first_channels_pass_and_condition_all_others(channels, context, moving, passing):
    network = networks.MLP((channels - passing) * 2, 8)
    layer = coupling.Coupling(network, scalars.Affine(1.0), context, moving)
    x = jax.random.normal(jax.random.key(0), (1, 2, channels))
    params = zoo.drawn(layer, x)

    @jax.jit
    def measured(x):
        slope = jax.jacobian(lambda x: layer.forward(params, RNG, x)[0])(x)
        z, nats = layer.forward(params, RNG, x)
        return slope, z, nats, layer.inverse(params, RNG, z)

    slope, z, nats, back = measured(x)
    slope = np.asarray(slope).reshape(2, channels, 2, channels)
    np.testing.assert_array_equal(slope[0, :, 1], 0)  # places do not see each other
    depends, at = abs(slope[0, :, 0]) > 1e-6, np.arange(channels)
    expected = (at[:, None] == at) | ((at[:, None] >= passing) & (at < passing))
    np.testing.assert_array_equal(depends, expected)
    np.testing.assert_array_equal(z[..., :passing], x[..., :passing])
    size = 2 * channels
    np.testing.assert_allclose(nats[0], np.linalg.slogdet(slope.reshape(size, size))[1], rtol=1e-4)
    np.testing.assert_allclose(back, x, rtol=1e-4, atol=1e-5)
