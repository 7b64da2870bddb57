"""What a network puts out: the guess from the other tokens, or what is denoised by all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.ops import categorical
from tests import enumeration, zoo
from tests.variants import quick

pytestmark = pytest.mark.slow

KERNELS = {
    "uniform": kernels.uniform(schedules.cosine, 3),
    "masks": kernels.absorbing(schedules.linear, 3),
    "both": kernels.masks_and_uniform(3, 0.2),
}
DATA = certificates.correlated()


class Perfect(nn.Module):
    """Knows the data; puts out one law or the other."""

    process: object
    own: bool

    def __call__(self, x_t, t, *, train=False):
        if self.own:
            return categorical.log(self.process.denoised(x_t, t).law)
        return categorical.log(self.process.predict(x_t, t))


class Denoising(Perfect):
    denoises = True


def model(kernel, network, own):
    """A diffusion with a perfect network, and its parameters: none."""
    process = certificates.exact(kernel, DATA)
    result = models.Diffusion(kernel, network(process, own), steps=None)
    return result, result.init(jax.random.key(0), jnp.zeros((1, DATA.ndim), jnp.int32))


def distance(result, params, steps):
    """How far samples are from the data."""
    law = certificates.law(samplers.Ancestral(steps=steps), result.open(params), DATA.ndim, None)
    return certificates.distance(law, DATA)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(KERNELS, "both"))
@pytest.mark.slow
def test_both_give_the_same_bound_and_the_same_samples(name):
    both = [
        model(KERNELS[name], network, network is Denoising) for network in (Perfect, Denoising)
    ]
    x = jnp.tile(enumeration.sequences(3, 2), (4, 1))
    elbos = [made.elbo(params, jax.random.key(1), x) for made, params in both]
    np.testing.assert_allclose(*elbos, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(*(distance(*made, 8) for made in both), atol=1e-5)


def test_what_is_denoised_taken_for_a_guess_never_converges():
    """The mistake, on purpose: by a network that does not say what it puts out."""
    right, wrong = (
        [distance(*model(KERNELS["uniform"], network, True), steps) for steps in (8, 32, 128)]
        for network in (Denoising, Perfect)
    )
    assert right[0] > 3 * right[1] > 9 * right[2]
    assert min(wrong) > 0.15
    assert wrong[2] > 0.8 * wrong[1]


def test_a_network_cannot_weigh_a_token_that_it_does_not_see():
    class Both(zoo.HollowTable):
        denoises = True

    with pytest.raises(ValueError, match="Both says both leave_one_out and denoises"):
        models.Diffusion(KERNELS["uniform"], Both(3))
