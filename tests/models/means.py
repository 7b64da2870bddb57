"""Draws of a model's nats, and their means against what they should be."""

import jax
import jax.numpy as jnp
import numpy as np

from tests import zoo


def draws(verb, params, x, number=1500, seed=1, **given):
    """Draws of a verb's nats of every row x (N, ...): (number, N), in float64."""
    compiled = jax.jit(verb, compiler_options=zoo.HASTE)
    rows, given = jax.tree.map(lambda a: jnp.tile(a, (number, 1)), (x, given))
    nats = compiled(params, jax.random.key(seed), rows, **given)
    return np.asarray(nats, np.float64).reshape(number, -1)


def assert_mean(draws, expected, largest_error, slack=0.0):
    """Every mean over axis 0 is within 5 standard errors (and `slack`), and those are small."""
    error = standard_error(draws)
    assert error.max() < largest_error, f"standard error {error.max():.3g}: too loose to mean much"
    assert (abs(draws.mean(axis=0) - expected) <= 5 * error + slack + 1e-5).all(), (
        draws.mean(axis=0),
        expected,
        error,
    )


def assert_same_mean(draws, others, largest_error):
    """The same of two kinds of draws."""
    assert_mean(draws, others.mean(axis=0), largest_error, 5 * standard_error(others))


def standard_error(draws):
    return draws.std(axis=0) / len(draws) ** 0.5
