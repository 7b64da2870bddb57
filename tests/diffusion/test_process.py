"""A process of any function of logits: what is the own token's evidence is divided out of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.diffusion.process import of_logits

P = jnp.array([0.5, 0.3, 0.2])  # of a lone token
KERNELS = {
    "uniform": kernels.uniform(schedules.cosine, 3),
    "masks": kernels.absorbing(schedules.linear, 3),
}


def bayes(kernel):
    """Log p(x_0 | x_t) of a lone token, + 7, which no softmax sees."""

    def logits(x_t, t, rng=None):
        states = len(kernel.prior)
        seen = kernel.likelihood(x_t, 0 * t, t)  # q(x_t | x_0)
        law = jnp.pad(P, (0, states - 3))
        return jnp.log(jnp.where(jnp.arange(states) < 3, law * seen, 1.0)) + 7

    return logits


@pytest.mark.few(1)
@pytest.mark.parametrize("name", KERNELS)
def test_the_law_of_a_lone_token_does_not_depend_on_it(name):
    kernel = KERNELS[name]
    process = of_logits(kernel, bayes(kernel), denoises=True)
    x_t, t = jnp.arange(len(kernel.prior))[:, None], jnp.full(len(kernel.prior), 0.6)
    seen = x_t[:, 0] if name == "uniform" else x_t[3:, 0]  # of masks, what is seen is certain
    result = jax.jit(process.predict)(x_t, t)[np.asarray(seen), 0]
    want = jnp.broadcast_to(jnp.pad(P, (0, result.shape[1] - 3)), result.shape)
    np.testing.assert_allclose(result, want, atol=1e-5)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", KERNELS)
def test_the_bound_of_the_exact_guess_is_the_entropy(name):
    process = of_logits(KERNELS[name], bayes(KERNELS[name]), denoises=True)
    x = jnp.repeat(jnp.arange(3), jnp.array([500, 300, 200]))[:, None]
    elbo = jax.jit(lambda rng: bounds.elbo(process, rng, x, 20).mean())
    drawn = jnp.stack([elbo(jax.random.key(i)) for i in range(50)])
    exact = (P * jnp.log(P)).sum()
    np.testing.assert_allclose(drawn.mean(), exact, atol=5 * drawn.std() / 50**0.5 + 1e-3)


@pytest.mark.usefixtures("any_types")
def test_what_is_no_module_of_linen_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="flax.linen; got a function.*process.of_logits"):
        models.Diffusion(KERNELS["uniform"], bayes(KERNELS["uniform"]))


def test_what_is_given_is_held_in_what_is_made_noise():
    kernel = kernels.uniform(schedules.cosine, 3)
    process = of_logits(kernel, lambda x_t, t, rng=None: jnp.zeros((*x_t.shape, 3)))
    x = jnp.tile(jnp.array([0, 1, 2]), (100, 1))
    given = jnp.where(jnp.array([True, False, True]), x, -1)
    x_t = jax.jit(process.holding(given).corrupted)(jax.random.key(0), x, jnp.ones(100))
    np.testing.assert_array_equal(x_t[:, ::2], x[:, ::2])
    assert (x_t[:, 1] != 1).any()


def test_logits_of_half_precision_make_a_law_in_float32():
    kernel = kernels.uniform(schedules.cosine, 3)
    logits = lambda x_t, t, rng=None: jnp.broadcast_to(  # noqa: E731
        jnp.array([0.3, -1.0, 2.0], jnp.bfloat16), (*x_t.shape, 3)
    )
    law = of_logits(kernel, logits).predict(jnp.zeros((1, 2), int), jnp.array([0.5]))
    assert law.dtype == jnp.float32
    np.testing.assert_allclose(law.sum(axis=-1), 1, atol=1e-6)


def test_logits_that_see_what_is_known_are_told():
    kernel, told = kernels.absorbing(schedules.linear, 3), []

    def logits(x_t, t, rng=None, known=None):
        told.append(known)
        return jnp.zeros((*x_t.shape, 4))

    process = of_logits(kernel, logits, sees_known=True)
    given = jnp.array([[-1, 2]])
    process.holding(given).predict(jnp.array([[3, 2]]), jnp.array([0.5]))
    np.testing.assert_array_equal(told[0], given >= 0)
