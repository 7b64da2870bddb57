"""The README's Python: every snippet of "Change one thing" runs as printed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import readme

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found():
    return readme.namespace()


def test_change_one_thing(found):
    assert found["nats"].shape == (8,)
    assert np.isfinite(found["nats"]).all()
    assert (found["nats"] < 0).all()
    model, params = found["model"], found["params"]
    x = jax.jit(model.sample, static_argnums=2)(params, jax.random.key(2), (4, 64))
    assert x.shape == (4, 64)
    assert found["data"].facts.decode(x[0]).strip("acgt") == ""


def test_a_new_layer_makes_a_flow(found):
    assert found["bound"].shape == (8,)
    assert (found["bound"] < 0).all()
    flow = found["flow"]
    weights = {**found["weights"], "02_Bend": {"bend": jnp.array([0.3, -0.2])}}
    z, _ = flow.forward(weights, jax.random.key(2), found["x"])
    np.testing.assert_array_equal(flow.inverse(weights, jax.random.key(3), z), found["x"])
    bend, shaken = found["Bend"](), {"bend": jnp.array([0.5, -0.3])}
    numbers = jnp.array([[1.5, -2.0]])
    z, nats = bend.forward(shaken, None, numbers)
    slope = jax.jacobian(lambda x: bend.forward(shaken, None, x)[0])(numbers)
    np.testing.assert_allclose(nats, jnp.linalg.slogdet(slope[0, :, 0])[1], rtol=1e-5)
    np.testing.assert_allclose(bend.inverse(shaken, None, z), numbers, rtol=1e-6)


def test_new_kernel_forgets_and_new_schedule_is_one(found):
    kernel, times = found["kernel"], jnp.ones(1)
    end = kernel.push(jnp.eye(4)[None], 0 * times, times)
    np.testing.assert_allclose(end[0], np.full((4, 4), 0.25), atol=0.01)
    np.testing.assert_array_equal(found["quadratic"](jnp.array([0.0, 1.0])), [0.0, -30.0])
