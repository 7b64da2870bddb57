"""The README's Python: every snippet of "Change one thing" runs as printed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import readme

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result():
    return readme.namespace()


def test_change_one_thing(result):
    assert result["nats"].shape == (8,)
    assert np.isfinite(result["nats"]).all()
    assert (result["nats"] < 0).all()
    model, params = result["model"], result["params"]
    x = jax.jit(model.sample, static_argnums=2)(params, jax.random.key(2), (4, 64))
    assert x.shape == (4, 64)
    assert result["data"].facts.decode(x[0]).strip("ACGT") == ""


def test_a_new_layer_makes_a_flow(result):
    assert result["bound"].shape == (8,)
    assert (result["bound"] < 0).all()
    flow = result["flow"]
    weights = {**result["weights"], "02_Bend": {"bend": jnp.array([0.3, -0.2])}}
    z, _ = flow.forward(weights, jax.random.key(2), result["x"])
    np.testing.assert_array_equal(flow.inverse(weights, jax.random.key(3), z), result["x"])
    bend, shaken = result["Bend"](), {"bend": jnp.array([0.5, -0.3])}
    numbers = jnp.array([[1.5, -2.0]])
    z, nats = bend.forward(shaken, None, numbers)
    slope = jax.jacobian(lambda x: bend.forward(shaken, None, x)[0])(numbers)
    np.testing.assert_allclose(nats, jnp.linalg.slogdet(slope[0, :, 0])[1], rtol=1e-5)
    np.testing.assert_allclose(bend.inverse(shaken, None, z), numbers, rtol=1e-6)


def test_new_kernel_forgets_and_new_schedule_is_one(result):
    kernel, times = result["kernel"], jnp.ones(1)
    end = kernel.push(jnp.eye(4)[None], 0 * times, times)
    np.testing.assert_allclose(end[0], np.full((4, 4), 0.25), atol=0.01)
    np.testing.assert_array_equal(result["quadratic"](jnp.array([0.0, 1.0])), [0.0, -30.0])


@pytest.mark.exhaustive
def test_learned_schedules_have_parameters_that_are_trained(result):
    x, rng = result["x"], jax.random.key(1)
    params = result["in_time"].init(jax.random.key(0), x)
    nats, _ = result["objective"].loss(params, result["objective"].init(), rng, x)
    assert nats.shape == (8,)
    assert np.isfinite(nats).all()
    power = result["LearnedPower"](4)

    def kept(params):
        p = power.open(params).push(jnp.eye(4)[None], jnp.zeros(1), jnp.full(1, 0.5))
        return p[0, 0, 0]

    assert jax.grad(kept)(power.init(rng))["power"] > 0.01
