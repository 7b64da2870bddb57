import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.transforms import laws
from amd_jax.transforms.elementwise import ActNorm
from amd_jax.transforms.multiscale import FactorOut, multiscale

NORMAL = laws.Fixed(laws.NORMAL)


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


def test_each_level_halves_the_sides_and_half_of_the_channels_stay():
    parts = multiscale(3, 3, lambda channels: (ActNorm(),), lambda: NORMAL)
    x, shapes, rng = jax.random.normal(jax.random.key(0), (2, 8, 16, 3)), [], jax.random.key(1)
    for part in parts:
        params = part.init(rng, x)
        x, _ = part.forward(params, rng, x)
        shapes.append((type(part).__name__, *x.shape[1:]))
    assert shapes == [
        ("Squeeze", 4, 8, 12),
        ("ActNorm", 4, 8, 12),
        ("FactorOut", 4, 8, 6),
        ("Squeeze", 2, 4, 24),
        ("ActNorm", 2, 4, 24),
        ("FactorOut", 2, 4, 12),
        ("Squeeze", 1, 2, 48),
        ("ActNorm", 1, 2, 48),
    ]


def test_parts_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="even number; got 3"):
        FactorOut(NORMAL).init(jax.random.key(0), jnp.zeros((2, 4, 3)))
    with pytest.raises(ValueError, match="1 level or more; got levels=0"):
        multiscale(3, 0, lambda channels: (), lambda: NORMAL)
