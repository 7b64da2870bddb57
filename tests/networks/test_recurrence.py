"""The LSTM and its written-out gradient against a plain scan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.primitives import recurrence
from amd_jax.networks.recurrent import LSTM
from tests.networks.test_attention import assert_same, draw
from tests.planned import scratch


def arrays(batch=3, length=5, features=4):
    rng = np.random.default_rng(0)
    gates = rng.normal(size=(batch, length, 4 * features)).astype("f")
    kernel = rng.normal(size=(features, 4 * features)).astype("f") / 2
    return gates, kernel, rng.normal(size=(batch, length, features)).astype("f")


def with_gradient(function, reverse):
    def run(gates, kernel, d_h):
        h, pull = jax.vjp(lambda *args: function(*args, reverse), gates, kernel)
        return h, *pull(d_h)

    return jax.jit(run)


@pytest.mark.few(1)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 5])
def test_the_recurrence_and_its_gradient_are_those_of_the_plain_twin(reverse, length):
    twins = (
        lambda *args, f=f: f(*args, reverse)
        for f in (recurrence.recurrence, recurrence.plain_recurrence)
    )
    assert_same(*twins, *arrays(length=length)[:2], atol=2e-6)


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_start_and_its_gradient_are_those_of_the_plain_twin(reverse):
    (gates, kernel, _), (start,) = arrays(), draw((3, 4), seed=1)
    twins = (
        lambda gates, kernel, start, f=f: f(gates, kernel, reverse, start)
        for f in (recurrence.recurrence, recurrence.plain_recurrence)
    )
    assert_same(*twins, gates, kernel, start, atol=2e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("reverse", [False, True])
def test_each_position_sees_those_before_it(reverse):
    gates, kernel, _ = arrays(batch=1)
    moved = np.concatenate([gates, gates + np.eye(5, dtype="f")[..., None]])  # m differs in row m
    h = np.asarray(jax.jit(recurrence.recurrence, static_argnums=2)(moved, kernel, reverse))
    differs = np.abs(h[1:] - h[:1]).max(axis=-1) > 1e-5  # [m, n]
    np.testing.assert_array_equal(differs, (np.tril if reverse else np.triu)(np.ones((5, 5))))


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
    jaxpr = jax.make_jaxpr(with_gradient(recurrence.recurrence, False))(*arrays()).jaxpr
    bodies = [[equation.primitive.name for equation in body] for body in loops(jaxpr)]
    assert [body.count("dot_general") for body in bodies] == [1, 1]
    assert [body.count("transpose") for body in bodies] == [2, 2]  # of the batch, not the kernel


def test_steps_in_turn_are_the_whole_sequence():
    lstm = LSTM(4)
    x = jax.random.normal(jax.random.key(0), (3, 5, 2))
    _, kernel, _ = arrays()
    params = {"params": {"input": kernel[:2], "bias": kernel[3], "kernel": kernel}}
    carry = lstm.apply(params, 3, method="start")
    step = jax.jit(lambda *args: lstm.apply(params, *args, method="step"))
    states = []
    for n in range(5):
        carry, h = step(carry, x[:, n])
        states.append(h)
    np.testing.assert_allclose(
        jnp.stack(states, axis=1), jax.jit(lstm.apply)(params, x), atol=1e-6
    )


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
