"""Oracles in the place of a network: against Bayes' rule over all rows, written out anew."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, chains
from amd_jax.diffusion.exact.oracle import Oracle
from tests import enumeration
from tests.diffusion.exact.test_chains import CHAINS, HIDDEN, KERNELS, LENGTH, table

TOLERANCE = 2e-7  # in float64, of kernels with constants in float32


def bayes(law, kernel, x_t, t, own, known=None):
    """p(x_0[n] | x_t), or p(x_0[n] | x_t without n) unless `own`: (N, L, K).

    The token at the place `known`, if any, is one of the data.
    """
    rows = enumeration.sequences(len(law), law.ndim)
    noisy = enumeration.matrix(kernel, 0.0, t)
    result = np.zeros((*x_t.shape, len(law)))
    for n in range(law.ndim):
        p = np.tile(law.ravel(), (len(x_t), 1))  # [x_t, x_0]
        for m in range(law.ndim):
            if m != n or own:
                matrix = np.eye(len(noisy)) if m == known else noisy
                p *= matrix[rows[:, m][None], x_t[:, m][:, None]]
        for k in range(len(law)):
            result[:, n, k] = p[:, rows[:, n] == k].sum(axis=1)
    return result / result.sum(axis=-1, keepdims=True)


def model(chain, kernel, **more):
    return models.Diffusion(kernel, Oracle(chain.exact(kernel)), **more)


@pytest.mark.few(4)
@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("name", CHAINS)
def test_guess_and_denoiser_are_bayes_rule_over_all_rows(name, kind):
    """Also where a token of the data is known as such."""
    chain, kernel = CHAINS[name], KERNELS[kind]
    with jax.enable_x64(True):
        process = model(chain, kernel, steps=None).open({})
        x = jnp.asarray(enumeration.sequences(kernel.prior.shape[-1], LENGTH)[::7])
        known = jnp.broadcast_to(jnp.arange(LENGTH) == 1, x.shape)
        held = jnp.where(known, x % 3, x)

        @jax.jit
        def laws(t):
            r = process.predict(x, t)
            clean = kernels.denoising_posterior(kernel, r, x, t).law
            return r, clean, process.predict(held, t, known=known)

        given = (x, False), (x, True), (held, False, 1)
        for t in (0.1, 0.7):
            for guess, (x_t, *how) in zip(laws(jnp.full(len(x), t)), given, strict=True):
                expected = bayes(table(chain), kernel, np.asarray(x_t), t, *how)
                np.testing.assert_allclose(guess[..., :3], expected, atol=TOLERANCE)
                np.testing.assert_allclose(guess[..., 3:], 0, atol=TOLERANCE)


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("chain", [chains.segments(), chains.sticky()], ids=["hidden", "markov"])
def test_the_bound_on_masks_is_the_probability_itself(chain):
    """In continuous time; few steps, each of which draws tokens apart, are below it on average."""
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
    diffusion = model(HIDDEN, KERNELS["absorbing"], steps=None)
    x = HIDDEN.draw(jax.random.key(0), (3, LENGTH))
    params = diffusion.init(jax.random.key(1), x)
    assert params == {}
    diffusion.check(params, jax.random.key(1), x)
    first, shape = samplers.FirstHitting(), (5000, LENGTH)
    draw = jax.jit(lambda rng: diffusion.sample(params, rng, shape, sampler=first))
    law = table(HIDDEN)
    enumeration.assert_drawn_from(enumeration.number(draw(jax.random.key(4)), 3), law.ravel())
    known = jnp.broadcast_to(jnp.arange(LENGTH) == 1, shape)
    ones = jnp.ones(shape, jnp.int32)
    fill = jax.jit(lambda rng: diffusion.infill(params, rng, ones, known, sampler=first))
    law[:, [0, 2]] = 0
    enumeration.assert_drawn_from(enumeration.number(fill(jax.random.key(5)), 3), law.ravel())


def test_an_oracle_of_a_table_is_one_too():
    kernel, data = kernels.uniform(schedules.cosine, 3), certificates.correlated()
    process, x, t = certificates.exact(kernel, data), enumeration.sequences(3, 2), 0.5
    times, known = jnp.full(9, t), jnp.tile(jnp.array([False, True]), (9, 1))
    logits = jax.jit(models.Diffusion(kernel, Oracle(process)).denoiser)(x, times)
    guess = jax.jit(lambda x: process.predict(x, times, known=known))(x)
    for result, place in ((jnp.exp(logits), None), (guess, 1)):
        np.testing.assert_allclose(result, bayes(data, kernel, x, t, False, place), atol=1e-6)


def test_an_oracle_of_another_kernel_is_refused():
    oracle = Oracle(chains.sticky().exact(kernels.absorbing(schedules.cosine, 4)))
    diffusion = models.Diffusion(kernels.uniform(schedules.cosine, 4), oracle)
    with pytest.raises(ValueError, match="4 states a denoiser gives logits"):
        jax.eval_shape(diffusion.init, jax.random.key(0), jnp.zeros((2, 5), jnp.int32))
