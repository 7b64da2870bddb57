import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks import recurrence
from amd_jax.networks.recurrence import LSTM


def arrays(batch=3, length=5, features=4):
    keys = jax.random.split(jax.random.key(0), 3)
    gates = jax.random.normal(keys[0], (batch, length, 4 * features))
    kernel = jax.random.normal(keys[1], (features, 4 * features)) / 2
    return gates, kernel, jax.random.normal(keys[2], (batch, length, features))


def with_gradient(function, reverse):
    def run(gates, kernel, d_h):
        h, pull = jax.vjp(lambda *args: function(*args, reverse), gates, kernel)
        return h, *pull(d_h)

    return jax.jit(run)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 5])
def test_the_recurrence_and_its_gradient_are_those_of_the_plain_twin(reverse, length):
    case = arrays(length=length)
    ours = with_gradient(recurrence.recurrence, reverse)(*case)
    plain = with_gradient(recurrence.plain_recurrence, reverse)(*case)
    for a, b in zip(ours, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_each_position_sees_those_before_it():
    gates, kernel, _ = arrays()
    for reverse, seen in ((False, np.triu), (True, np.tril)):
        jacobian = jax.jacobian(
            lambda g, r=reverse: recurrence.recurrence(g, kernel, r).sum((0, 2))
        )
        moved = np.abs(jacobian(gates)).sum((1, 3)) > 0  # [h at n, gates at m]
        np.testing.assert_array_equal(moved.T, seen(np.ones((5, 5))))


def test_the_gradients_loop_has_one_product_a_step():
    """The kernel's gradient would be the second."""
    text = str(jax.make_jaxpr(with_gradient(recurrence.recurrence, False))(*arrays()))
    bodies = [part.split("scan[")[0] for part in text.split("jaxpr={ lambda")[1:]]
    assert len(bodies) >= 2
    assert all(body.count("dot_general") <= 1 for body in bodies)


def test_steps_in_turn_are_the_whole_sequence():
    lstm = LSTM(4)
    x = jax.random.normal(jax.random.key(0), (3, 5, 2))
    params = jax.jit(lstm.init)(jax.random.key(1), x)
    carry = lstm.apply(params, 3, method="start")
    step = jax.jit(lambda *args: lstm.apply(params, *args, method="step"))
    states = []
    for n in range(5):
        carry, h = step(carry, x[:, n])
        states.append(h)
    np.testing.assert_allclose(jnp.stack(states, axis=1), lstm.apply(params, x), atol=1e-6)


def test_a_new_lstm_remembers_and_turns_without_growth():
    params = jax.jit(LSTM(4).init)(jax.random.key(0), jnp.zeros((1, 1, 2)))["params"]
    np.testing.assert_array_equal(
        params["input"]["bias"].reshape(4, 4), [[0] * 4, [1] * 4] + [[0] * 4] * 2
    )
    for kernel in jnp.split(params["kernel"], 4, axis=1):
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-6)
