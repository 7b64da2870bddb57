import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.primitives import convolution
from tests.planned import scratch


@pytest.mark.parametrize(
    ("size", "channels", "features", "parts"),
    [
        ((16, 32, 64), 64, 64, 16),
        ((16, 32, 64), 128, 64, 16),
        ((9, 32, 64), 64, 64, 9),
        ((8, 64, 64), 64, 64, 1),  # too few to wake a thread
        ((16, 8, 8), 64, 64, 1),  # too little work
        ((16, 32, 64), 64, 65, 1),  # XLA divides it
    ],
)
def test_parts_where_a_cpu_gains_by_them(size, channels, features, parts):
    shapes = (*size, channels), (3, 3, channels, features)
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    program = str(jax.make_jaxpr(convolution.convolve_by_parts)(*arrays))
    assert program.count("conv_general_dilated[") == parts


@pytest.mark.slow
def test_a_map_that_is_no_number_spoils_no_other(monkeypatch):
    monkeypatch.setattr(convolution, "_worth_parts", lambda x, kernel: True)
    x = jnp.ones((16, 4, 4, 3)).at[0].set(jnp.nan).at[5, 0, 0, 0].set(jnp.inf)
    y = convolution.convolve_by_parts(x, jnp.ones((3, 3, 3, 2)))
    assert np.isfinite(y).all((1, 2, 3)).sum() == 14


def test_no_part_waits_for_the_memory_of_another(monkeypatch):
    """As the CPU's compiler plans it: all parts of x and of y have their own."""
    monkeypatch.setattr(convolution, "_worth_parts", lambda x, kernel: True)
    x = jax.ShapeDtypeStruct((16, 8, 8, 32), jnp.float32)
    kernel = jax.ShapeDtypeStruct((3, 3, 32, 32), jnp.float32)

    def layer(x, kernel):
        return jnp.tanh(convolution.convolve_by_parts(x, kernel))

    assert scratch(layer, x, kernel) >= 2 * 4 * x.size


def test_copies_of_a_map_are_not_kept():
    """As the CPU's compiler plans it: a layer more keeps its map, and no copies of it."""

    def planned(layers):
        def loss(kernels, x):
            for kernel in kernels:
                x = jnp.tanh(convolution.convolve_by_parts(x, kernel))
            return x.sum()

        x = jax.ShapeDtypeStruct((4, 16, 16, 16), jnp.float32)
        kernels = [jax.ShapeDtypeStruct((3, 3, 16, 16), jnp.float32)] * layers
        return scratch(jax.grad(loss), kernels, x) / (4 * x.size)

    assert planned(10) - planned(4) < 6 * 3
