"""UDLM: uniform noise, and masks (Schiff et al., 2025). Guidance is left out: ours comes later."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, schedules
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow


@pytest.fixture(params=golden.CASES)
def udlm(request):
    with golden.opened("udlm", request.param) as peer:
        yield peer


@pytest.mark.parametrize("form", [bounds.rate, bounds.rate.dispatch(object)])
def test_continuous_loss(udlm, form):
    """Departure 1: the loss has alpha = 1 - t, all else there 1 - (1 - 1e-3) t. Departure 2: its
    reconstruction term, which is 0 in a bound with alpha_0 = 1, is in `uniform_loss`, not here.
    """
    kernel = kernels.uniform(schedules.linear, udlm.num_classes)
    p_0 = jax.nn.softmax(udlm["logits"])
    result = form(kernel, udlm["x0"], p_0, udlm["xt"], udlm.t)
    udlm.assert_near(result, "uniform_diffusion_loss", rtol=1e-8, atol=1e-11, single=(1e-4, 2e-4))


@pytest.mark.parametrize("name", ["uniform_posterior", "uniform_posterior_true"])
def test_posterior_of_uniform_noise(udlm, name):
    kernel = kernels.uniform(golden.almost_linear, udlm.num_classes)
    true = name.endswith("true")
    p_0 = udlm.clean(udlm.num_classes) if true else jax.nn.softmax(udlm["logits"])
    result = kernels.posterior(kernel, p_0, udlm["xt"], udlm["s"], udlm.t)
    udlm.assert_near(result, name)


def test_discrete_loss(udlm):
    """Times T. Its logs take 1e-12 more, and departure 6: t is clipped to 1 - 1e-4."""
    steps, kernel = int(udlm["d3pm_T"]), kernels.uniform(schedules.linear, udlm.num_classes)
    t = jnp.minimum(udlm["d3pm_t"], 1 - 1e-4)
    s = jnp.maximum(t - 1 / steps, 0.0)
    p_0 = jax.nn.softmax(udlm["logits"])
    result = steps * bounds.discrete(kernel, udlm["x0"], p_0, udlm["xt"], s, t)
    udlm.assert_near(result, "uniform_d3pm_loss", rtol=1e-6, atol=1e-8, single=(1e-4, 1e-5))


def test_posterior_of_masks(udlm):
    kernel = kernels.absorbing(golden.almost_linear, udlm.num_classes)
    p_0 = golden.without_mask(udlm["absorb_logits"])
    result = kernels.posterior(kernel, p_0, udlm["absorb_xt"], udlm["s"], udlm.t)
    udlm.assert_near(result, "absorb_posterior")


@pytest.mark.parametrize("schedule", [schedules.linear, golden.almost_linear])
def test_continuous_loss_of_masks(udlm, schedule):
    """The cross-entropy over t, by either schedule."""
    kernel = kernels.absorbing(schedule, udlm.num_classes)
    p_0 = golden.without_mask(udlm["absorb_logits"])
    result = bounds.rate(kernel, udlm["x0"], p_0, udlm["absorb_xt"], udlm.t)
    udlm.assert_near(result, "absorb_loss", single=(1e-4, 0))
    assert np.asarray(result).any()
