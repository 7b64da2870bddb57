import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.ops import scalars
from amd_jax.transforms import conditional, laws
from tests import zoo

K, CONTEXT, SHAPE = 3, 2, (4, 2, 2)  # x (B, H, W), u (B, H, W, K)
SIZES = dict(blocks=1, growth=4, depth=1, width=8)


def law(event=(K,), steps=2) -> conditional.ConditionalFlow:
    """Couplings of the numbers of a pixel, which read 2 features of the map."""
    context = networks.MapContext(K, networks.DenseNet(CONTEXT, **SIZES))
    noise, dense = laws.Fixed(laws.NORMAL), functools.partial(networks.DenseNet, **SIZES)
    bijection = scalars.Affine(bound=2.0)
    return conditional.couplings(noise, context, CONTEXT, event, steps, dense, bijection)


def test_densities_of_one_number_add_up_to_one_and_are_those_of_the_draws():
    """Of each class one that its own affine map makes of a logistic: by a grid."""
    table, dense = networks.ClassTable(K, 2), lambda outputs: networks.MLP(outputs, 4)
    noise, affine = laws.Fixed(laws.LOGISTIC), scalars.Affine(1.0)
    q = conditional.linear_flow(noise, table, 2, (), 1, dense, affine)
    x, grid = jnp.arange(K)[:, None], jnp.linspace(-60, 60, 4001)
    params = zoo.drawn(q, x)

    @jax.jit
    def densities(params):
        z, log_q = q.sample_and_log_prob(params, jax.random.key(3), x)
        rows = jnp.broadcast_to(x, (len(grid), K, 1)).reshape(-1, 1)
        on_grid = q.log_prob(params, jnp.repeat(grid, K)[:, None], rows)
        return log_q, q.log_prob(params, z, x), on_grid.reshape(-1, K)

    log_q, again, on_grid = densities(params)
    np.testing.assert_allclose(again, log_q, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.exp(on_grid).sum(axis=0) * (grid[1] - grid[0]), 1, atol=1e-3)
    assert np.ptp(on_grid.max(axis=0)) > 0.01  # the classes differ


@pytest.mark.slow
def test_draws_depend_on_the_context_around():
    q, x = law(), jnp.zeros((1, *SHAPE[1:]), jnp.int32)
    params = zoo.drawn(q, x, scale=0.3)
    assert sorted(params) == ["00_Coupling", "01_Repeated", "context"]
    assert sorted(params["01_Repeated"]) == ["00_Beside", "01_Coupling"]
    draw = jax.jit(q.sample_and_log_prob)
    before, _ = draw(params, jax.random.key(3), x)
    after, _ = draw(params, jax.random.key(3), x.at[0, 1, 1].set(2))
    assert before.shape == (1, *SHAPE[1:], K)
    assert (np.abs(before - after)[0, 0, 0] > 1e-6).all()


@pytest.mark.slow
def test_without_an_event_there_is_one_number_a_place():
    q = law(event=())
    coupling, repeated = q.transforms
    assert [type(part) for part in repeated.part.transforms] == [type(coupling)]
    x = jnp.zeros(SHAPE, jnp.int32)
    params = jax.eval_shape(q.init, jax.random.key(0), x)
    u, log_q = jax.eval_shape(q.sample_and_log_prob, params, jax.random.key(1), x)
    assert (u.shape, log_q.shape) == (SHAPE, SHAPE[:1])


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_there_are_as_many_couplings_as_asked_for(steps):
    parts = law(steps=steps).transforms
    assert sum(getattr(part, "times", 1) for part in parts) == steps
