import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.primitives import depthwise


@pytest.mark.slow
def test_shift_moves_each_axis_and_fills_with_zeros():
    h = jnp.arange(6.0).reshape(1, 2, 3, 1)
    np.testing.assert_array_equal(depthwise.shift(h, 1)[0, :, :, 0], [[0, 0, 0], [0, 1, 2]])
    np.testing.assert_array_equal(depthwise.shift(h, 0, -1)[0, :, :, 0], [[1, 2, 0], [4, 5, 0]])
    np.testing.assert_array_equal(depthwise.shift(h, -1, 2)[0, :, :, 0], [[0, 0, 3], [0, 0, 0]])


@pytest.mark.few(1)
@pytest.mark.parametrize("offsets", [((0,), (2,), (-1,)), ((0, 0), (1, -2), (-1, 1), (0, 3))])
def test_depthwise_is_its_plain_twin(offsets):
    shape = (2, *range(5, 5 + len(offsets[0])), 3)
    h, d_out = (jax.random.normal(jax.random.key(i), shape) for i in (0, 1))
    taps = jax.random.normal(jax.random.key(2), (len(offsets), 3))

    def both(f):
        value, pull = jax.vjp(lambda h, taps: f(h, taps, offsets), h, taps)
        return value, pull(d_out)

    result, wanted = (
        jax.jit(both, static_argnums=0)(f)
        for f in (depthwise.depthwise, depthwise.plain_depthwise)
    )
    for got, want in zip(jax.tree.leaves(result), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)
