"""Oracles in the place of a network: against Bayes' rule over all rows, written out anew."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, chains
from amd_jax.diffusion.exact.oracle import Oracle
from tests import enumeration
from tests.diffusion.exact.test_chains import CHAINS, HIDDEN, KERNELS, LENGTH, table

TOLERANCE = 2e-7  # in float64, of kernels with constants in float32


def bayes(law, kernel, x_t, t, own):
    """p(x_0[n] | x_t), or p(x_0[n] | x_t without n) unless `own`: (N, L, K)."""
    rows = enumeration.sequences(len(law), law.ndim)
    matrix = enumeration.matrix(kernel, 0.0, t)
    result = np.zeros((*x_t.shape, len(law)))
    for n in range(law.ndim):
        p = np.tile(law.ravel(), (len(x_t), 1))  # [x_t, x_0]
        for m in range(law.ndim):
            if m != n or own:
                p *= matrix[rows[:, m][None], x_t[:, m][:, None]]
        for k in range(len(law)):
            result[:, n, k] = p[:, rows[:, n] == k].sum(axis=1)
    return result / result.sum(axis=-1, keepdims=True)


def model(chain, kernel, **more):
    return models.Diffusion(kernel, Oracle(chain.exact(kernel)), **more)


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("name", CHAINS)
def test_guess_and_denoiser_are_bayes_rule_over_all_rows(name, kind):
    chain, kernel = CHAINS[name], KERNELS[kind]
    with jax.enable_x64(True):
        process = model(chain, kernel, steps=None).open({})

        @jax.jit
        def laws(x, t):
            r = process.predict(x, t)
            return r, kernels.denoising_posterior(kernel, r, x, t).law

        x = enumeration.sequences(kernel.prior.shape[-1], LENGTH)[::7]
        for t in (0.1, 0.7):
            times = jnp.full(len(x), t)
            for guess, own in zip(laws(jnp.asarray(x), times), (False, True), strict=True):
                expected = bayes(table(chain), kernel, x, t, own)
                np.testing.assert_allclose(guess[..., :3], expected, atol=TOLERANCE)
                np.testing.assert_allclose(guess[..., 3:], 0, atol=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hidden", "markov"])
def test_the_bound_on_masks_is_the_probability_itself(name):
    """In continuous time; few steps, each of which draws tokens apart, are below it on average."""
    chain = {"hidden": chains.segments(), "markov": chains.sticky()}[name]
    kernel = kernels.absorbing(schedules.linear, 4)
    x = chain.draw(jax.random.key(2), (8192, LENGTH))
    for steps in (None, 2):
        diffusion = model(chain, kernel, steps=steps)
        nats = jax.jit(diffusion.elbo)({}, jax.random.key(3), x) - chain.log_prob(x)
        mean, error = float(nats.mean()), float(nats.std()) / len(x) ** 0.5
        assert error < 0.03
        assert abs(mean) < 4 * error if steps is None else mean < -4 * error


@pytest.mark.slow
def test_every_part_of_a_model_takes_it():
    """Parameters, checks, samples by any sampler and fillings, which are those of all rows."""
    kernel = KERNELS["absorbing"]
    diffusion = model(HIDDEN, kernel, steps=None)
    x = HIDDEN.draw(jax.random.key(0), (3, LENGTH))
    params = diffusion.init(jax.random.key(1), x)
    assert params == {}
    diffusion.check(params, jax.random.key(1), x)
    first = samplers.FirstHitting()
    shape = 5000, LENGTH
    draw = jax.jit(lambda rng: diffusion.sample(params, rng, shape, sampler=first))
    drawn = draw(jax.random.key(4))
    law = table(HIDDEN)
    assert p_value(drawn, law) > 1e-3
    known = jnp.broadcast_to(jnp.arange(LENGTH) == 1, shape)
    ones = jnp.ones(shape, jnp.int32)
    fill = jax.jit(lambda rng: diffusion.infill(params, rng, ones, known, sampler=first))
    filled = fill(jax.random.key(5))
    law[:, [0, 2]] = 0
    assert p_value(filled, law / law.sum()) > 1e-3


def p_value(x, law):
    """Of χ² of rows against a law; rows that cannot be are an error."""
    index = np.ravel_multi_index(tuple(np.asarray(x).T), law.shape)
    counts = np.bincount(index, minlength=law.size)
    can = law.ravel() > 0
    assert not counts[~can].any()
    return stats.chisquare(counts[can], law.ravel()[can] * len(x)).pvalue


def test_an_oracle_of_a_table_is_one_too():
    kernel, data = kernels.uniform(schedules.cosine, 3), certificates.correlated()
    oracle = Oracle(certificates.exact(kernel, data))
    x = jnp.asarray(enumeration.sequences(3, 2))
    logits = jax.jit(models.Diffusion(kernel, oracle).denoiser)(x, jnp.full(9, 0.5))
    np.testing.assert_allclose(
        jnp.exp(logits), bayes(data, kernel, np.asarray(x), 0.5, own=False), atol=1e-6
    )


def test_an_oracle_of_another_kernel_is_refused():
    oracle = Oracle(chains.sticky().exact(kernels.absorbing(schedules.cosine, 4)))
    diffusion = models.Diffusion(kernels.uniform(schedules.cosine, 4), oracle)
    with pytest.raises(ValueError, match="4 states a denoiser gives logits"):
        jax.eval_shape(diffusion.init, jax.random.key(0), jnp.zeros((2, 5), jnp.int32))
