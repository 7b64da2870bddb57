"""Samplers that insert tokens draw from the law of the data, if their steps are many."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import insertion
from amd_jax.diffusion.exact import certificates, insertions
from amd_jax.diffusion.insertion.samplers import TauLeaping
from tests import enumeration


@functools.cache
def law(longest):
    """A random law of the lines of up to so many of two tokens."""
    number = len(insertions.lines(2, longest))
    return np.random.default_rng(3).dirichlet(0.7 * np.ones(number))


@functools.cache
def exact(longest):
    return insertions.exact(law(longest), 2, longest)


def distances(longest, steps):
    """Total variations between the law of samples, with these numbers of steps, and of lines."""
    laws = [insertions.law(TauLeaping(steps=n), exact(longest), longest) for n in steps]
    return np.array([certificates.distance(p, law(longest)) for p in laws])


@pytest.mark.few(1)
@pytest.mark.parametrize("longest", [2, 3])
def test_the_law_of_samples_becomes_that_of_lines(longest):
    """The distance falls in proportion to the step."""
    apart = distances(longest, (8, 16, 32, 64))
    np.testing.assert_allclose(apart[1:] / apart[:-1], 0.5, atol=0.1)
    assert apart[-1] < 0.015


@pytest.mark.few(1)
@pytest.mark.parametrize("longest", [2, 3])
@pytest.mark.parametrize(("steps", "temperature"), [(1, 1.0), (3, 0.7)])
def test_samples_follow_the_enumerated_law(longest, steps, temperature):
    """With few steps, where gaps expect more masks than there is room for."""
    sampler, draws = TauLeaping(temperature=temperature, steps=steps), 20_000
    p = insertions.law(sampler, exact(longest), longest)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    walk = jax.jit(functools.partial(sampler, exact(longest)))
    empty = jnp.full((draws, longest), 2)
    x = walk(jax.random.key(steps), empty, sampler.times(None)).tolist()
    every = {tuple(line): i for i, line in enumerate(insertions.lines(2, longest).tolist())}
    enumeration.assert_drawn_from(np.array([every[tuple(row)] for row in x]), p)


def test_masks_are_inserted_where_they_belong_and_no_more_than_fit():
    x = jnp.array([[0, 1, 2, 2, 2, 2], [0, 1, 2, 2, 2, 2], [1, 1, 1, 1, 1, 0], [2] * 6])
    number = jnp.array([[1, 0, 2] + [0] * 4, [0, 3, 4] + [0] * 4, [1] * 7, [9] + [0] * 6])
    np.testing.assert_array_equal(
        insertion.samplers.inserted(x, number, 2),
        [[3, 0, 1, 3, 3, 2], [0, 3, 3, 3, 1, 3], [1, 1, 1, 1, 1, 0], [3] * 6],
    )


def test_numbers_of_masks_follow_poissons_law():
    mean = jnp.array([0.0, 0.3, 2.0])
    law = insertion.samplers.arrivals(jnp.tile(mean, (1, 4))[:, :12])[0]
    np.testing.assert_allclose(law[0], np.eye(12)[0], atol=1e-5)
    np.testing.assert_allclose(law[:3].sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(law[:3] @ np.arange(12), mean, atol=1e-4)


def test_a_sampler_needs_a_number_of_steps():
    with pytest.raises(ValueError, match="as many steps as you say"):
        TauLeaping().times(None)
