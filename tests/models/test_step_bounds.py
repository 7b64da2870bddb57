"""Bounds by steps: the draws of a row are of that row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.models.step_bounds import AllSteps, DrawnSteps
from tests import zoo


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


@pytest.mark.parametrize("bound", [DrawnSteps(), AllSteps()])
def test_models_without_steps_are_refused(bound):
    with pytest.raises(ValueError, match=r"is for a diffusion; Flow is none\. Use Elbo\(\)\."):
        bound.describe(zoo.integer_flow(3))
