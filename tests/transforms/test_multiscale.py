import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.ops import scalars
from amd_jax.transforms import laws
from amd_jax.transforms.multiscale import FactorOut, glow

NORMAL = laws.Fixed(laws.NORMAL)
DENSE = functools.partial(networks.DenseNet, blocks=1, growth=2, depth=1, width=4)


@pytest.mark.slow
def test_what_leaves_the_flow_has_its_law():
    layer, x = FactorOut(NORMAL), jax.random.normal(jax.random.key(0), (5, 2, 6))
    z, nats = layer.forward({}, jax.random.key(1), x)
    np.testing.assert_array_equal(z, x[..., :3])
    np.testing.assert_allclose(nats, NORMAL.log_prob({}, x[..., 3:]), rtol=1e-6)
    back = layer.inverse({}, jax.random.key(2), z)
    np.testing.assert_array_equal(back[..., :3], z)
    assert (back[..., 3:] != x[..., 3:]).all()
    many = layer.inverse({}, jax.random.key(3), jnp.zeros((4000, 1)))
    assert abs(many[:, 1].std() - 1) < 0.05


@pytest.mark.slow
def test_each_level_halves_the_sides_and_half_of_the_channels_stay():
    parts = glow(3, 3, 2, DENSE, scalars.Affine(), NORMAL)
    x, shapes, rng = jax.random.normal(jax.random.key(0), (2, 8, 16, 3)), [], jax.random.key(1)
    for part in parts:
        params = part.init(rng, x)
        x, _ = part.forward(params, rng, x)
        shapes.append((type(part).__name__, *x.shape[1:]))
    assert shapes == [
        *((name, 4, 8, 12) for name in ("Squeeze", "Repeated")),
        ("FactorOut", 4, 8, 6),
        *((name, 2, 4, 24) for name in ("Squeeze", "Repeated")),
        ("FactorOut", 2, 4, 12),
        *((name, 1, 2, 48) for name in ("Squeeze", "Repeated")),
    ]


def test_parts_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="even number; got 3"):
        FactorOut(NORMAL).init(jax.random.key(0), jnp.zeros((2, 4, 3)))
    with pytest.raises(ValueError, match="1 level or more; got levels=0"):
        glow(3, 0, 1, DENSE, scalars.Affine(), NORMAL)
