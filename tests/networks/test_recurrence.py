"""LSTMs: what their loops compute and keep; the plain twin is in `test_twins.py`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.primitives import recurrence
from amd_jax.networks.recurrent import LSTM
from tests.networks.test_twins import draw
from tests.planned import scratch


def loops(jaxpr):
    """Equations of each scan's body, all the way down."""
    for equation in jaxpr.eqns:
        inner = [p.jaxpr for p in equation.params.values() if hasattr(p, "jaxpr")]
        if equation.primitive.name == "scan":
            yield inner[0].eqns
        for body in inner:
            yield from loops(body)


def test_each_loop_has_one_product_a_step():
    """The kernel's gradient would be a second one in the loop that goes back."""

    def with_gradient(gates, kernel, d_h):
        h, pull = jax.vjp(recurrence.recurrence, gates, kernel)
        return h, *pull(d_h)

    arrays = draw((3, 5, 16), (4, 16), (3, 5, 4))
    jaxpr = jax.make_jaxpr(with_gradient)(*arrays).jaxpr
    bodies = [[equation.primitive.name for equation in body] for body in loops(jaxpr)]
    assert [body.count("dot_general") for body in bodies] == [1, 1]
    assert [body.count("transpose") for body in bodies] == [2, 2]  # of the batch, not the kernel


def test_a_new_lstm_remembers_and_its_recurrent_kernel_is_bounded():
    params = jax.jit(LSTM(4).init)(jax.random.key(0), jnp.zeros((1, 1, 2)))["params"]
    np.testing.assert_array_equal(params["bias"], np.repeat([0, 1, 0, 0], 4))
    assert 0.4 < jnp.abs(params["kernel"]).max() <= 0.5


@pytest.mark.slow
def test_a_gradient_makes_room_when_it_begins():
    """As the CPU's compiler plans it: an LSTM more keeps gates, cells and states, 6 of h."""
    features = 16

    def planned(layers):
        def loss(kernels, h):
            for inner, kernel in kernels:
                h = recurrence.recurrence(h @ inner, kernel)
            return h.sum()

        h = jax.ShapeDtypeStruct((8, 64, features), jnp.float32)
        kernel = jax.ShapeDtypeStruct((features, 4 * features), jnp.float32)
        return scratch(jax.grad(loss), [(kernel, kernel)] * layers, h) / (4 * h.size)

    assert planned(10) - planned(4) < 6 * 8
