"""Chains against all rows of few tokens, written down."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import chains
from benchmarks import chains as benchmark
from tests import enumeration

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


@pytest.mark.few(1)
@pytest.mark.parametrize("name", CHAINS)
def test_probabilities_and_draws_are_those_of_all_rows(name):
    chain, law, every = CHAINS[name], table(CHAINS[name]), enumeration.sequences(3, LENGTH)
    np.testing.assert_allclose(np.exp(chain.log_prob(jnp.asarray(every))), law.ravel(), rtol=1e-4)
    x = chain.draw(jax.random.key(0), (20_000, LENGTH))
    enumeration.assert_drawn_from(enumeration.number(x, 3), law.ravel())


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
    each = [samplers.Ancestral(steps=4), samplers.Ancestral(steps=16), samplers.FirstHitting()]
    rows = (benchmark.drawn(chain, kernel, sampler, rows=128, length=64) for sampler in each)
    errors = [benchmark.errors(chain, x) for x in rows]
    for at_four, at_sixteen, (bits, error) in zip(*errors, strict=True):
        assert at_four.bits > 2 * at_sixteen.bits > 0
        assert abs(bits) < 4 * error < at_sixteen.bits


def test_what_is_no_chain_and_a_kernel_of_other_classes_are_refused():
    half, eye = np.ones(2) / 2, np.eye(2)
    for start, moves, emits in (
        (half, np.eye(3), eye),
        (half, eye, np.eye(3)),
        (np.ones(2), eye, eye),
        (np.array([1.5, -0.5]), eye, eye),
    ):
        with pytest.raises(ValueError, match="laws that sum to 1"):
            chains.Chain(start, moves, emits)
    with pytest.raises(ValueError, match="classes of the chain, 4"):
        chains.sticky().exact(KERNELS["uniform"])
