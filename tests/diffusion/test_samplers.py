import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels, samplers
from tests import enumeration, zoo

DRAWS = 20_000
GRIDS = {
    "training": [1.0, 0.8, 0.6, 0.4, 0.2, 0.0],
    "one step": [1.0, 0.0],
    "uneven": [1.0, 0.5, 0.1, 0.0],
}


def test_grid_descends_from_one_to_zero():
    np.testing.assert_array_equal(samplers.grid(4), [1, 0.75, 0.5, 0.25, 0])
    times = np.asarray(samplers.grid(4000))
    assert len(times) == 4001
    np.testing.assert_allclose(times, np.arange(4000, -1, -1) / 4000, rtol=2e-7)


@pytest.fixture(scope="module", params=["uniform-cosine", "absorbing-linear", "walk"])
def walk(request):
    """A model, its parameters, and its sampler on any grid: (rng, x, times) -> x."""
    model = zoo.diffusion(request.param, "table", 5)
    params = zoo.parameters(model)

    @jax.jit
    def ancestral(rng, x, times):
        return samplers.Ancestral()(model.open(params), rng, x, times)

    return model, params, ancestral


def noise(model, rng):
    return kernels.draw_prior(model.kernel, rng, (DRAWS, zoo.LENGTH))


@pytest.mark.parametrize("grid", GRIDS)
def test_follows_the_law_of_the_chain(walk, grid):
    model, params, ancestral = walk
    start = noise(model, jax.random.key(0))
    x = ancestral(jax.random.key(1), start, jnp.array(GRIDS[grid]))
    assert x.dtype == jnp.int32
    law = enumeration.prior(model, params, zoo.LENGTH)
    law = enumeration.chain(model, params, law, GRIDS[grid], zoo.LENGTH)
    enumeration.assert_drawn_from(enumeration.number(x, 3), law)


def test_starts_where_it_is_put(walk):
    """From one given state at t = 0.6 to t = 0.2: infilling and chains walk parts of the way."""
    model, params, ancestral = walk
    x = jnp.full((DRAWS, zoo.LENGTH), 2, jnp.int32)
    place = int(enumeration.number(x[:1], 3)[0])
    x = ancestral(jax.random.key(2), x, jnp.array([0.6, 0.4, 0.2]))
    start = np.eye(9)[place]
    law = enumeration.chain(model, params, start, [0.6, 0.4, 0.2], zoo.LENGTH)
    enumeration.assert_drawn_from(enumeration.number(x, 3), law)


def test_parts_compose(walk):
    model, params, ancestral = walk
    x = noise(model, jax.random.key(3))
    half = ancestral(jax.random.key(4), x, jnp.array([1.0, 0.8, 0.4]))
    x = ancestral(jax.random.key(5), half, jnp.array([0.4, 0.2, 0.0]))
    law = enumeration.prior(model, params, zoo.LENGTH)
    law = enumeration.chain(model, params, law, [1.0, 0.8, 0.4, 0.2, 0.0], zoo.LENGTH)
    enumeration.assert_drawn_from(enumeration.number(x, 3), law)


def test_no_step_changes_nothing(walk):
    _, _, ancestral = walk
    x = jnp.array([[0, 1], [2, 0]])
    np.testing.assert_array_equal(ancestral(jax.random.key(0), x, jnp.array([0.5])), x)


def test_noise_is_the_prior(walk):
    model, params, _ = walk
    x = noise(model, jax.random.key(6))
    enumeration.assert_drawn_from(
        enumeration.number(x, 3), enumeration.prior(model, params, zoo.LENGTH)
    )
