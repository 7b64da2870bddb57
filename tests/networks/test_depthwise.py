import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.primitives import depthwise
from tests.networks.test_attention import assert_same, draw


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
    functions = [
        lambda h, taps, f=f: f(h, taps, offsets)
        for f in (depthwise.depthwise, depthwise.plain_depthwise)
    ]
    assert_same(*functions, *draw(shape, (len(offsets), 3)), atol=1e-5)
