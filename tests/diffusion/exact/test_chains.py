"""Chains against all rows of few tokens, written down."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, chains, enumeration
from benchmarks import chains as benchmark

LENGTH = 4
RNG = np.random.default_rng(3)
HIDDEN = chains.Chain(*(RNG.dirichlet(np.ones(k), n) for k, n in ((2, ()), (2, 2), (3, 2))))
CHAINS = {"hidden": HIDDEN, "markov": chains.Chain.markov(RNG.dirichlet(np.ones(3), 3))}
KERNELS = {
    "uniform": kernels.uniform(schedules.cosine, 3),
    "augmented": kernels.AugmentedUniform(schedules.cosine, 3),
    "absorbing": kernels.absorbing(schedules.linear, 3),
    "masks_and_uniform": kernels.masks_and_uniform(3, 0.2),
}


def table(chain, length=LENGTH):
    """The law of rows (K,) * L: a sum over all hidden states."""
    law = np.zeros((chain.num_classes,) * length)
    for states in itertools.product(range(len(chain.start)), repeat=length):
        p = chain.start[states[0]]
        for now, then in itertools.pairwise(states):
            p *= chain.moves[now, then]
        rows = chain.emits[states[0]]
        for state in states[1:]:
            rows = rows[..., None] * chain.emits[state]
        law += p * rows
    return law


@pytest.mark.few(4)
@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("kind", KERNELS)
def test_its_guess_is_that_of_all_rows(name, kind):
    chain, kernel = CHAINS[name], KERNELS[kind]
    by_hand = certificates.exact(kernel, table(chain))
    x = jnp.asarray(enumeration.sequences(kernel.prior.shape[-1], LENGTH))[::7]
    known = jnp.arange(LENGTH)[None] == 1
    held = jnp.where(known, x % 3, x)  # a token of the data, known as such

    @functools.partial(jax.jit, static_argnums=0)
    def guesses(process, t):
        times = jnp.full(len(x), t)
        return process.predict(x, times), process.predict(held, times, known=known)

    for t in (0.1, 0.7):
        every = guesses(chain.exact(kernel), t), guesses(by_hand, t)
        for guess, expected in zip(*every, strict=True):
            np.testing.assert_allclose(guess, expected, atol=2e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", CHAINS)
def test_probabilities_and_draws_are_those_of_all_rows(name):
    chain, law = CHAINS[name], table(CHAINS[name])
    every = enumeration.sequences(3, LENGTH)
    np.testing.assert_allclose(np.exp(chain.log_prob(jnp.asarray(every))), law.ravel(), rtol=1e-4)
    x = np.asarray(chain.draw(jax.random.key(0), (20_000, LENGTH)))
    counts = np.bincount(np.ravel_multi_index(tuple(x.T), law.shape), minlength=law.size)
    assert stats.chisquare(counts, law.ravel() * len(x)).pvalue > 1e-3


def test_a_markov_chain_is_stationary():
    chain = CHAINS["markov"]
    np.testing.assert_allclose(chain.start @ chain.moves, chain.start, atol=1e-12)


@pytest.mark.slow
def test_long_rows_have_finite_numbers():
    chain = chains.sticky()
    x = chain.draw(jax.random.key(1), (2, 4096))
    bits = -chain.log_prob(x) / 4096 / np.log(2)
    rate = -0.9 * np.log2(0.9) - 0.1 * np.log2(0.1 / 3)
    np.testing.assert_allclose(bits, rate, atol=0.1)
    p_0 = chain.exact(kernels.uniform(schedules.cosine, 4)).predict(x, jnp.full(2, 0.5))
    np.testing.assert_allclose(p_0.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.slow
def test_fewer_steps_are_farther_from_the_data():
    """Of a sampler that draws many tokens a step, and of one that draws them one by one."""
    chain, kernel = chains.sticky(), kernels.absorbing(schedules.linear, 4)
    few, more, one_by_one = (
        benchmark.errors(chain, benchmark.drawn(chain, kernel, sampler, rows=128, length=64))
        for sampler in (
            *(samplers.Ancestral(steps=steps) for steps in (4, 16)),
            samplers.FirstHitting(),
        )
    )
    for at_four, at_sixteen, (bits, error) in zip(few, more, one_by_one, strict=True):
        assert at_four.bits > 2 * at_sixteen.bits > 0
        assert abs(bits) < 4 * error < at_sixteen.bits


@pytest.mark.parametrize(
    ("start", "moves", "emits"),
    [
        (np.ones(2) / 2, np.eye(3), np.eye(2)),
        (np.ones(2) / 2, np.eye(2), np.eye(3)),
        (np.ones(2), np.eye(2), np.eye(2)),
        (np.array([1.5, -0.5]), np.eye(2), np.eye(2)),
    ],
)
def test_what_is_no_chain_is_refused(start, moves, emits):
    with pytest.raises(ValueError, match="laws that sum to 1"):
        chains.Chain(start, moves, emits)


def test_a_kernel_of_other_classes_is_refused():
    with pytest.raises(ValueError, match="classes of the chain, 4"):
        chains.sticky().exact(KERNELS["uniform"])
