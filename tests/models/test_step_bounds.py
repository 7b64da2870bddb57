"""Bounds that average draws: by steps, by times and of importance weights."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.models.bounds import DrawnTimes, ImportanceWeighted
from amd_jax.models.step_bounds import AllSteps, DrawnSteps
from amd_jax.ops.lines import Lines
from tests import zoo
from tests.models.means import assert_same_mean, draws


class Coin:
    """A model whose weights are 0 or the parameter, by a fair coin for each row."""

    def log_weight(self, params, rng, x):
        return jnp.where(jax.random.bernoulli(rng, shape=(len(x),)), jnp.log(params), -jnp.inf)


@pytest.mark.usefixtures("any_types")
def test_weights_are_independent_and_averaged_as_probabilities():
    def weights(k):
        result = ImportanceWeighted(k)(Coin(), 2.0, jax.random.key(0), jnp.zeros((500, 3)))
        return np.exp(np.asarray(result, np.float64))

    two = weights(2).round(5)
    np.testing.assert_allclose([(two == p).mean() for p in (0, 1, 2)], [0.25, 0.5, 0.25], atol=0.1)
    np.testing.assert_allclose(weights(400), 1, atol=6 * 400**-0.5)


class Noisy:
    """An elbo of -100 times the first token, and a uniform number."""

    steps = 5

    def elbo(self, params, rng, x):
        return -100.0 * x[:, 0] - jax.random.uniform(rng, x.shape[:1])


@pytest.mark.usefixtures("any_types")
def test_the_draws_of_a_row_are_averaged_and_rows_do_not_mix():
    rows = jnp.arange(50)[:, None].repeat(3, axis=1)
    nats = np.asarray(DrawnSteps(draws=400)(Noisy(), None, jax.random.key(0), rows))
    noise = -100.0 * np.arange(50) - nats
    np.testing.assert_allclose(noise, 0.5, atol=6 * (1 / 12 / 400) ** 0.5)
    assert len(np.unique(noise)) > 40


@pytest.mark.parametrize("kind", ["tokens", "lines"])
def test_by_numbers_of_masks_the_bound_has_its_mean_and_less_noise(kind):
    """Of a network that looks at the time; of lines the padding is known."""
    schedule, support, x = schedules.cosine, None, np.array([[0, 1, 2], [2, 2, 0]])
    if kind == "lines":
        schedule, support = schedules.linear, Lines(2, (0.5, 0.2, 0.3))
        x = np.array([[0, 1, 2], [1, 2, 2]])  # 2 is padding
    model = models.Diffusion(kernels.absorbing(schedule, 3), zoo.Table(4), None, support=support)
    params = zoo.parameters(model, length=3)
    steps, times = (functools.partial(f(draws=2), model) for f in (DrawnSteps, DrawnTimes))
    for scale in (0.2, 1.0):
        scaled = jax.tree.map(lambda a, scale=scale: scale * a, params)
        drawn, of_times = draws(steps, scaled, x, 4000), draws(times, scaled, x, 4000, seed=2)
        assert_same_mean(drawn, of_times, 0.1)
        if scale < 1:  # of a network that knows little from others
            assert (drawn.std(axis=0) < 0.5 * of_times.std(axis=0)).all()


@pytest.mark.parametrize("bound", [DrawnSteps(), AllSteps()])
def test_models_without_steps_are_refused(bound):
    with pytest.raises(ValueError, match=r"is for a diffusion; Flow is none\. Use Elbo\(\)\."):
        bound.describe(zoo.integer_flow(3))
