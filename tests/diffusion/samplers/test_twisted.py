"""Twisted particles against the reweighted law of the walk, by enumeration: two tokens."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, guided_laws
from tests import enumeration, zoo
from tests.diffusion.samplers.test_guided import assert_unbiased

DATA = certificates.correlated()
UNIFORM = kernels.uniform(schedules.cosine, 3)
FOUR = samplers.Ancestral(steps=4)


def nats(x):
    """A reward: for a sum of the tokens, and one row never."""
    never = (x == jnp.array([2, 0])).all(axis=-1)
    return jnp.where(never, -jnp.inf, 0.9 * x.sum(axis=-1))


def likelihood(x):
    """γ log p(y | x) of a classifier, γ = 3: y is more probable if the tokens are equal."""
    return 3 * jnp.log(jnp.where(x[:, 0] == x[:, 1], 0.8, 0.3))


def test_the_law_is_that_of_the_walk_times_the_reward():
    """Whatever the network guesses, and in few steps, where the walk is far from the data."""
    sampler, model = samplers.Twisted(nats, 64), zoo.diffusion("uniform-cosine", "table", 4)
    params = zoo.parameters(model)
    process, law = model.open(params), enumeration.law(model, params, 2)
    expected = law * np.exp(np.asarray(nats(jnp.asarray(enumeration.sequences(3, 2)))))
    pi, z = guided_laws.reweighted(sampler, process, 2, 4)
    np.testing.assert_allclose(z, expected.sum(), rtol=1e-5)
    np.testing.assert_allclose(pi.ravel(), expected / expected.sum(), rtol=1e-4)
    assert certificates.distance(pi.ravel(), law) > 0.2, "nothing is told apart"
    draw = jax.jit(lambda rng: model.sample(params, rng, (2000, 2), sampler=sampler))
    enumeration.assert_drawn_from(enumeration.number(draw(jax.random.key(0)), 3), pi.ravel())


WALKS = {
    "uniform": (UNIFORM, FOUR),
    "masks": (kernels.absorbing(schedules.linear, 3), FOUR),
    "euler": (UNIFORM, samplers.Euler(steps=4)),
    "corrected": (UNIFORM, samplers.Ancestral(steps=3, corrections=1)),
    "sharpened": (UNIFORM, samplers.Ancestral(steps=3, temperature=0.7, greedy=True)),
}


@pytest.mark.slow
@pytest.mark.few(2)
@pytest.mark.parametrize("reward", [likelihood, nats])
@pytest.mark.parametrize("name", WALKS)
def test_the_mean_weight_is_an_unbiased_estimate_of_the_normaliser(name, reward):
    kernel, walk = WALKS[name]
    process, sampler = certificates.exact(kernel, DATA), samplers.Twisted(reward, 8, walk)
    _, z = guided_laws.reweighted(sampler, process, 2, None)
    noise, times = process.draw_prior(jax.random.key(1), (4000, 2)), sampler.times(None)
    weigh = jax.jit(lambda rng: sampler.weighted(process, rng, noise, times).log_normalizer)
    assert_unbiased(weigh(jax.random.key(0)), z)


@pytest.mark.slow
def test_the_error_falls_as_one_over_the_number_of_particles():
    counts, runs = np.array([8, 128]), (16_000, 3000)
    process = certificates.exact(UNIFORM, DATA)
    result = []
    for count, number in zip(counts, runs, strict=True):
        sampler = samplers.Twisted(nats, count, samplers.Ancestral(steps=2))
        law, error = guided_laws.twisted(sampler, process, 2, None, jax.random.key(0), number)
        pi, _ = guided_laws.reweighted(sampler, process, 2, None)
        assert law[2, 0] == 0
        result.append((certificates.distance(law, pi), error.sum() / 2))
    distance, error = np.transpose(result)
    assert (error < 0.3 * distance).all(), "too loose to mean anything"
    np.testing.assert_allclose(*counts * distance, rtol=0.35)
    assert distance[1] < 0.008


@pytest.mark.slow
def test_one_particle_is_the_walk_from_noise_of_its_own():
    model, sampler = zoo.diffusion("uniform-cosine", "table", 2), samplers.Twisted(nats, 1)
    params = jax.tree.map(lambda a: 3 * a, zoo.parameters(model))  # so that noise is not forgotten
    process = model.open(params)
    draw = jax.jit(functools.partial(sampler.weighted, process, times=sampler.times(2)))
    x = draw(jax.random.key(0), jnp.zeros((20_000, 2), jnp.int32)).x[0]
    law = enumeration.law(model, params, 2)
    enumeration.assert_drawn_from(enumeration.number(np.asarray(x), 3), law)


@pytest.mark.slow
def test_lines_of_uniform_noise_change_their_length_with_the_reward():
    """p(n) is of the walk's law, and each particle has a length of its own."""
    lines = zoo.LINES["lines"]
    kernel = kernels.uniform_within(schedules.cosine, lines.each(lines.num_classes))
    model = models.Diffusion(kernel, zoo.Table(lines.num_classes), 3, support=lines)
    params = zoo.parameters(model, length=lines.length)

    def longer(x):
        return 0.8 * (x != lines.padding).sum(axis=1)

    sampler = samplers.Twisted(longer, 32)
    draw = jax.jit(lambda rng: model.sample(params, rng, (1000, 3), sampler=sampler))
    x = draw(jax.random.key(0))
    law = np.array(lines.lengths) * np.exp(0.8 * np.arange(1, 4))
    assert abs(law / law.sum() - lines.lengths).max() > 0.2, "nothing is told apart"
    enumeration.assert_drawn_from(np.asarray((x != lines.padding).sum(axis=1)) - 1, law)


@pytest.mark.slow
def test_given_tokens_stay_and_the_rest_is_tilted():
    """With masks, where filling in is exact: one of two tokens."""
    model = zoo.diffusion("absorbing-linear", "table", 5)
    params, known = zoo.parameters(model), jnp.tile(jnp.array([True, False]), (2000, 1))
    x = jnp.where(known, 1, 0)

    def share_of_ones(sampler):
        fill = jax.jit(lambda rng: model.infill(params, rng, x, known, sampler=sampler))
        y = np.asarray(fill(jax.random.key(0)))
        assert (y[:, 0] == 1).all()
        return (y[:, 1] == 1).mean()

    plain = share_of_ones(samplers.Ancestral())
    tilted = share_of_ones(samplers.Twisted(lambda x: 1.5 * x[:, 1], 32))
    odds = plain / (1 - plain) * np.exp(1.5)
    assert tilted == pytest.approx(odds / (1 + odds), abs=0.04)
    assert tilted > plain + 0.1


@pytest.mark.slow
def test_a_walk_in_parts_ends_in_rows_that_there_are():
    model = zoo.diffusion("absorbing-linear", "table", 5)
    *_, (t, x) = model.walk(
        zoo.parameters(model), jax.random.key(0), (20, 2), 3, samplers.Twisted(nats, 4)
    )
    assert t == 0
    assert ((x >= 0) & (x < 2)).all()


def test_what_is_no_reward_and_a_number_of_steps_are_refused():
    model = zoo.diffusion("uniform-cosine", "table", 5)
    sample = functools.partial(model.sample, zoo.parameters(model), jax.random.key(0), (5, 2))
    with pytest.raises(ValueError, match="twisted takes no steps"):
        sample(3, samplers.Twisted(nats))
    with pytest.raises(ValueError, match="a function in JAX") as error:
        sample(sampler=samplers.Twisted(lambda x: np.asarray(x).sum(axis=1), 4))
    assert "\n" not in str(error.value)
