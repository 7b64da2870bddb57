"""Errors of rows against laws written down, and that wrong samplers show."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.diffusion.exact import chain_errors, chains
from amd_jax.diffusion.exact.oracle import Oracle
from tests.diffusion.exact.test_chains import CHAINS, HIDDEN, LENGTH, table

RNG = jax.random.key(0)
MARKOV = chains.sticky()
MOVING = chains.Chain(np.array([0.9, 0.1]), np.array([[0.5, 0.5], [0.2, 0.8]]), np.eye(2))
EVERY = CHAINS | {"not_stationary": MOVING}


def every_window(law, offsets):
    """The mean, over all n, of the law of the tokens at n + offsets."""
    number = law.ndim - offsets[-1]
    windows = []
    for n in range(number):
        others = tuple(set(range(law.ndim)) - {n + offset for offset in offsets})
        windows.append(law.sum(axis=others).ravel())
    return np.mean(windows, axis=0)


@pytest.mark.parametrize("name", EVERY)
def test_laws_of_windows_and_entropy_are_those_of_all_rows(name):
    p = table(EVERY[name])
    for offsets in ((0,), (0, 1), (0, 2), (0, 1, 3)):
        law = EVERY[name].law(offsets, LENGTH)
        np.testing.assert_allclose(law, every_window(p, offsets), atol=1e-12)
    expected = -(p * np.log2(p)).sum() / LENGTH
    bits, error = chain_errors.entropy(EVERY[name], LENGTH, RNG)
    assert abs(bits - expected) <= 4 * error + 1e-12
    assert error < 0.01
    assert (error == 0) == (name != "hidden")


def test_divergence_is_that_of_the_laws_without_the_bias_of_counting():
    """Of rows of another chain, in expectation: exact KL, where plain counts are above it."""
    chain, other = chains.sticky(3, 0.6), chains.sticky(3, 0.45)
    p, q = (each.law((0, 1, 2), 16) for each in (chain, other))
    exact = (q * np.log2(q / p)).sum()
    rows = np.asarray(other.draw(RNG, (64 * 24, 16))).reshape(64, 24, 16)
    each = [chain_errors.divergence(chain, jnp.asarray(x), (0, 1, 2)) for x in rows]
    bits, errors = np.array(each).T
    error = bits.std() / 8
    assert error < exact / 12
    assert abs(bits.mean() - exact) < 4 * error
    assert errors.mean() == pytest.approx(bits.std(), rel=0.5)


def floor_and(x, chain=MARKOV):
    """Whether rows are farther from a chain than chance allows: by likelihood, by law."""
    pairs = chain_errors.excess_bits(chain, x, RNG), chain_errors.divergence(chain, x)
    return [bits / error for bits, error in pairs]


@pytest.mark.few(1)
@pytest.mark.parametrize("chain", [MARKOV, chains.segments()], ids=["markov", "hidden"])
def test_rows_of_the_chain_are_at_the_floor(chain):
    assert np.abs(floor_and(chain.draw(RNG, (128, 128)), chain)).max() < 4


def test_rows_that_are_too_regular_score_below_zero_and_are_told_by_their_law():
    cold = floor_and(chains.sticky(stay=0.95).draw(RNG, (128, 128)))
    assert cold[0] < -4
    assert cold[1] > 4


@pytest.mark.slow
def test_many_ancestral_steps_are_at_the_floor_with_r_and_never_with_d():
    """M15: plugged in for r, the law given all of x_t never converges."""
    kernel = kernels.uniform(schedules.cosine, 4)

    def sampled(steps, oracle):
        model = models.Diffusion(kernel, oracle(MARKOV.exact(kernel)), steps=steps)
        return jax.jit(lambda rng: model.sample({}, rng, (128, 128)))(jax.random.key(7))

    class Plugged(Oracle):
        def __call__(self, x_t, t, *, train=False, known=None):
            p_0 = self.process.predict(x_t, t, known=known)
            return jnp.log(kernels.denoising_posterior(kernel, p_0, x_t, t).law + 1e-30)

    assert np.abs(floor_and(sampled(2048, Oracle))).max() < 4
    for steps in (64, 512):
        assert max(floor_and(sampled(steps, Plugged))) > 10


def test_what_cannot_be_counted_is_refused():
    x = HIDDEN.draw(RNG, (2, 8))
    with pytest.raises(ValueError, match="as many windows; got 10 in 2 rows"):
        chain_errors.divergence(HIDDEN, x)
    with pytest.raises(ValueError, match="two rows or more"):
        chain_errors.divergence(HIDDEN, x[:1], (0,))
    for offsets in ((), (1, 2), (0, 2, 1), (0, 8)):
        with pytest.raises(ValueError, match="less than the length, 8"):
            chain_errors.divergence(HIDDEN, x, offsets)
    for measured in (chain_errors.divergence, lambda *a: chain_errors.excess_bits(*a, RNG)):
        with pytest.raises(ValueError, match=r"Tokens must be in \[0, 3\)"):
            measured(HIDDEN, x.at[0, 0].set(3))


def test_a_transition_that_cannot_be_is_very_far():
    chain = chains.Chain.markov(np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]]))
    x = chain.draw(RNG, (16, 32))
    for rows, farther in ((x, False), (x.at[:, :2].set(jnp.array([0, 2])), True)):
        excess = chain_errors.excess_bits(chain, rows, RNG)
        for bits, error in (excess, chain_errors.divergence(chain, rows, (0, 1))):
            assert np.isfinite([bits, error]).all()
            assert (bits > 1) == farther
