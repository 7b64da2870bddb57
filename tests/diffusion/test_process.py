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


@pytest.mark.parametrize("name", KERNELS)
def test_the_law_of_a_lone_token_does_not_depend_on_it(name):
    kernel = KERNELS[name]
    process = of_logits(kernel, bayes(kernel), denoises=True)
    x_t, t = jnp.arange(len(kernel.prior))[:, None], jnp.full(len(kernel.prior), 0.6)
    seen = x_t[:, 0] if name == "uniform" else x_t[3:, 0]  # of masks, what is seen is certain
    result = jax.jit(process.predict)(x_t, t)[np.asarray(seen), 0]
    want = jnp.broadcast_to(jnp.pad(P, (0, result.shape[1] - 3)), result.shape)
    np.testing.assert_allclose(result, want, atol=1e-5)


@pytest.mark.parametrize("name", KERNELS)
def test_the_bound_of_the_exact_guess_is_the_entropy(name):
    process = of_logits(KERNELS[name], bayes(KERNELS[name]), denoises=True)
    x = jnp.repeat(jnp.arange(3), jnp.array([500, 300, 200]))[:, None]
    elbo = jax.jit(lambda rng: bounds.elbo(process, rng, x, 20).mean())
    drawn = jnp.stack([elbo(jax.random.key(i)) for i in range(50)])
    exact = (P * jnp.log(P)).sum()
    np.testing.assert_allclose(drawn.mean(), exact, atol=5 * drawn.std() / 50**0.5 + 1e-3)


def test_what_is_no_module_of_linen_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="flax.linen; got a function.*process.of_logits"):
        models.Diffusion(KERNELS["uniform"], bayes(KERNELS["uniform"]))
