"""Tokens that lie far apart are revealed together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, chains, enumeration, few_steps
from amd_jax.diffusion.samplers import dilated

MASKS = kernels.absorbing(schedules.linear, 2)


def calls(steps, masked, start=0):
    masked = np.asarray(masked, bool)
    starts = jnp.full((len(masked), masked.ndim - 1), start)
    return np.asarray(jax.jit(samplers.Dilated(steps=steps).calls)(starts, masked))


def test_each_call_halves_the_distances():
    result = calls(8, np.ones((1, 8)))[0]
    np.testing.assert_array_equal(result, [0, 4, 2, 6, 1, 5, 3, 7])
    np.testing.assert_array_equal(calls(4, np.ones((1, 8)))[0], [0, 2, 1, 3, 0, 2, 1, 3])
    np.testing.assert_array_equal(calls(8, np.ones((1, 8)), start=3)[0], np.roll(result, 3))


@pytest.mark.few(3)
@pytest.mark.parametrize("shape", [(6, 4), (1,), (7,), (13,), (5, 9), (3, 1)])
@pytest.mark.parametrize("steps", [1, 3, None])
def test_every_masked_token_has_one_call_and_calls_are_of_one_size(shape, steps):
    masked = np.random.default_rng(0).random((20, *shape)) < 0.7
    result = calls(steps, masked, start=2)
    assert ((result >= 0) == masked).all()
    for row, here in zip(result, masked, strict=True):
        if number := here.sum():
            sizes = np.bincount(row[here], minlength=min(steps or number, number))
            assert len(sizes) == min(steps or number, number)
            assert sizes.max() - sizes.min() <= 1


def test_on_a_map_the_tokens_of_a_call_are_apart_in_both_directions():
    result = calls(4, np.ones((1, 8, 8)))[0]
    for call in range(4):
        rows, columns = np.nonzero(result == call)
        apart = abs(rows[:, None] - rows) + abs(columns[:, None] - columns)
        assert apart[apart > 0].min() == 2
    assert len({*result[:2, :2].ravel()}) == 4


def test_starts_are_random_and_what_is_known_stays():
    process = certificates.exact(MASKS, np.full((2,) * 4, 1 / 16))
    x = jnp.tile(jnp.array([[2, 1, 2, 2]]), (400, 1))
    sampler = samplers.Dilated(steps=2)
    walk = jax.jit(lambda rng: sampler(process, rng, x, sampler.times(None)))
    drawn = np.asarray(walk(jax.random.key(0)))
    assert (drawn[:, 1] == 1).all()
    assert (drawn < 2).all()
    assert (abs(drawn[:, [0, 2, 3]].mean(axis=0) - 0.5) < 0.13).all()
    order = np.asarray(dilated.order(jnp.arange(4)[:, None], (4,)))
    assert len({tuple(row) for row in order}) == 4


@pytest.mark.slow
def test_of_a_chain_few_calls_lose_less_than_places_at_random():
    """And no sampler less than the least."""
    chain, length = chains.sticky(2), 6
    every = enumeration.sequences(2, length)
    data = np.exp(np.asarray(chain.log_prob(jnp.asarray(every)), np.float64))
    data = (data / data.sum()).reshape((2,) * length)
    process = certificates.exact(MASKS, data)
    least = few_steps.least_losses(data)
    for steps in (2, 3):
        lost, at_random = (
            special.rel_entr(data, certificates.law(sampler, process, length, None)).sum()
            for sampler in (samplers.Dilated(steps=steps), samplers.Ancestral(steps=steps))
        )
        assert least[steps - 1] - 1e-5 <= lost < 0.8 * at_random
