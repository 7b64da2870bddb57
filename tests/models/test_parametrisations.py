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


def distance(kernel, network, own, steps):
    """How far samples are from the data."""
    result, params = model(kernel, network, own)
    law = certificates.law(samplers.Ancestral(steps=steps), result.open(params), DATA.ndim, None)
    return certificates.distance(law, DATA)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(KERNELS, "both"))
@pytest.mark.slow
def test_both_give_the_same_bound_and_the_same_samples(name):
    kernel = KERNELS[name]
    (left, params), (own, _) = (model(kernel, n, n is Denoising) for n in (Perfect, Denoising))
    x = jnp.tile(enumeration.sequences(3, 2), (4, 1))
    both = [each.elbo(params, jax.random.key(1), x) for each in (left, own)]
    np.testing.assert_allclose(*both, rtol=1e-3, atol=1e-4)
    result = [distance(kernel, n, n is Denoising, 8) for n in (Perfect, Denoising)]
    np.testing.assert_allclose(*result, atol=1e-5)


def test_what_is_denoised_taken_for_a_guess_never_converges():
    """The mistake, on purpose: by a network that does not say what it puts out."""
    kernel, steps = KERNELS["uniform"], (8, 32, 128)
    right = [distance(kernel, Denoising, True, s) for s in steps]
    wrong = [distance(kernel, Perfect, True, s) for s in steps]
    assert right[0] > 3 * right[1] > 9 * right[2]
    assert min(wrong) > 0.15
    assert wrong[2] > 0.8 * wrong[1]


def test_a_network_cannot_weigh_a_token_that_it_does_not_see():
    class Both(zoo.HollowTable):
        denoises = True

    with pytest.raises(ValueError, match="Both says both leave_one_out and denoises"):
        models.Diffusion(KERNELS["uniform"], Both(3))
