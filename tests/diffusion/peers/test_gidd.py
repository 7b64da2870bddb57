"""GIDD: masks and uniform noise on the way to them (von Rütte et al., 2025).

Its clipped and dynamic weights are other losses than the bound (departure 17).
"""

import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels
from amd_jax.ops import categorical
from tests.diffusion.peers import golden
from tests.variants import quick

pytestmark = pytest.mark.slow

NONE = np.exp(-20.0)  # departure 18: its p_u = 0 is this
PATHS = {
    "pu0.0": (NONE, 1.0),
    "pu0.1": (0.1, 1.0),
    "pu0.2": (0.2, 1.0),
    "pu0.1_gamma2": (0.1, 2.0),
}


@pytest.fixture(params=golden.SMALL)
def gidd(request):
    with golden.opened("gidd", request.param) as peer:
        yield peer


@pytest.fixture(params=quick(PATHS, "pu0.0", "pu0.2", "pu0.1_gamma2"))
def path(request):
    return request.param


def theirs(gidd, path):
    return kernels.masks_and_uniform(gidd.num_classes, *PATHS[path])


def test_forward(gidd, path):
    kernel = theirs(gidd, path)
    log_alpha, noise = kernel.level(gidd.t)
    gidd.assert_near(jnp.exp(log_alpha), f"{path}_alpha", single=(1e-4, 0))
    gidd.assert_near(noise, f"{path}_beta_pi", single=(1e-4, 0))
    result = kernel.push(gidd.clean(gidd.num_classes + 1), gidd.start, gidd.t)
    gidd.assert_near(result, f"{path}_q_t")


@pytest.mark.few(slow=4)
def test_weights(gidd, path):
    """(n' - (log α)' n)[x_t] / q_t(x_t | x_0), of which the bound's form is made."""
    kernel = theirs(gidd, path)
    log_slope, change = golden.slope(kernel.level, gidd.t)
    gidd.assert_near(log_slope, f"{path}_alpha_ratio", single=(1e-4, 0))
    into = change - log_slope[:, None] * kernel.level(gidd.t)[1]
    q_t = kernel.push(gidd.clean(gidd.num_classes + 1), gidd.start, gidd.t)
    result = categorical.gather(into[:, None] / q_t, gidd["zt"])
    gidd.assert_near(result, f"{path}_elbo_weights", single=(1e-4, 0))


@pytest.mark.few(slow=8)
@pytest.mark.parametrize("form", [bounds.rate, bounds.rate.dispatch(object)])
def test_bound(gidd, path, form):
    p_0 = golden.without_mask(gidd["logits"])
    result = form(theirs(gidd, path), gidd["x0"], p_0, gidd["zt"], gidd.t)
    gidd.assert_near(result, f"{path}_elbo", atol=1e-11, single=(1e-4, 1e-4))


def test_posterior(gidd, path):
    p_0 = golden.without_mask(gidd["logits"])
    result = kernels.posterior(theirs(gidd, path), p_0, gidd["zt"], gidd["s"], gidd.t)
    gidd.assert_near(result, f"{path}_step_probs")


def test_no_uniform_noise_is_masks_alone(gidd):
    """Of masks, theirs with e^-20 of it is ours without."""
    kernel = kernels.masks_and_uniform(gidd.num_classes, 0.0)
    p_0, x_0, x_t = golden.without_mask(gidd["logits"]), gidd["x0"], gidd["zt"]
    result = bounds.rate(kernel, x_0, p_0, x_t, gidd.t)
    masked = np.asarray(x_t) == gidd.num_classes
    expected = gidd.exact("pu0.0_elbo")
    gidd.assert_near(result[masked], expected[masked], rtol=1e-5, single=(1e-4, 0))
