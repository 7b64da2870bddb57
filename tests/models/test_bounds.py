"""Importance weighting: draws are averaged as probabilities, and each has a key of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.models import bounds


class Coin:
    """A model whose weights are 0 or the parameter, by a fair coin for each row."""

    def log_weight(self, params, rng, x):
        return jnp.where(jax.random.bernoulli(rng, shape=(len(x),)), jnp.log(params), -jnp.inf)


@pytest.mark.usefixtures("any_types")
def test_draws_are_independent_and_averaged_as_probabilities():
    def weights(k):
        result = bounds.ImportanceWeighted(k)(Coin(), 2.0, jax.random.key(0), jnp.zeros((500, 3)))
        return np.exp(np.asarray(result, np.float64))

    two = weights(2).round(5)
    np.testing.assert_allclose([(two == p).mean() for p in (0, 1, 2)], [0.25, 0.5, 0.25], atol=0.1)
    np.testing.assert_allclose(weights(400), 1, atol=6 * 400**-0.5)
