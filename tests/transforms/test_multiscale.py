import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from amd_jax import networks
from amd_jax.ops import scalars
from amd_jax.transforms import laws
from amd_jax.transforms.multiscale import FactorOut, FactorOutGiven, glow

NORMAL = laws.Fixed(laws.NORMAL)
DENSE = functools.partial(networks.DenseNet, blocks=1, growth=2, depth=1, width=4)


class Around:
    """[location, log-scale] of each number that leaves: around the one kept in its place."""

    def apply(self, variables, x, **how):
        return jnp.stack([x, jnp.zeros_like(x)], axis=-1)


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize("given", [False, True])
def test_what_leaves_the_flow_has_its_law(given):
    """One for all, or what is kept says which."""
    layer = FactorOutGiven(laws.Conditional(laws.NORMAL, Around())) if given else FactorOut(NORMAL)
    x = jax.random.normal(jax.random.key(0), (2000, 2, 6))
    z, nats = jax.jit(layer.forward)({}, jax.random.key(1), x)
    kept, out = np.split(np.asarray(x), 2, axis=-1)
    np.testing.assert_array_equal(z, kept)
    wanted = stats.norm.logpdf(out - given * kept).sum(axis=(1, 2))
    np.testing.assert_allclose(nats, wanted, rtol=1e-4)
    back = np.asarray(jax.jit(layer.inverse)({}, jax.random.key(2), z))
    np.testing.assert_array_equal(back[..., :3], z)
    assert (back[..., 3:] != out).all()
    assert stats.kstest((back[..., 3:] - given * kept).ravel(), "norm").pvalue > 1e-4


def test_each_level_halves_the_sides_and_half_of_the_channels_stay():
    parts = glow(3, 3, 2, DENSE, scalars.Affine(), NORMAL)
    x, shapes, rng = jax.ShapeDtypeStruct((2, 8, 16, 3), jnp.float32), [], jax.random.key(1)
    for part in parts:
        params = jax.eval_shape(part.init, rng, x)
        x, _ = jax.eval_shape(part.forward, params, rng, x)
        shapes.append((type(part).__name__, *x.shape[1:]))
    assert shapes == [
        *((name, 4, 8, 12) for name in ("Squeeze", "Repeated")),
        ("FactorOut", 4, 8, 6),
        *((name, 2, 4, 24) for name in ("Squeeze", "Repeated")),
        ("FactorOut", 2, 4, 12),
        *((name, 1, 2, 48) for name in ("Squeeze", "Repeated")),
    ]
