"""Duo: uniform noise (Sahoo et al., 2025). Its Gaussian schedules are left out: there is none of
them here, nor a psi sampler whose sigma has no bound ("constant-remdm"). Nor is its loss of masks
in discrete time matched, which has the wrong alpha_s (departure 20).
"""

import jax
import jax.numpy as jnp
import pytest

from amd_jax.diffusion import bounds, kernels, samplers
from amd_jax.diffusion.process import Process
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow

THEIRS = {
    "loglinear": golden.almost_linear,
    "cosine": lambda t: jnp.log1p(-jnp.sin((1 - 1e-3) * jnp.pi / 2 * t)),
}


@pytest.fixture(params=golden.CASES)
def duo(request):
    with golden.opened("duo", request.param) as peer:
        yield peer


@pytest.mark.parametrize(("name", "factor"), [("loglinear", 1.0), ("cosine", 1 - 1e-3)])
def test_schedules_in_this_file_are_theirs(duo, name, factor):
    """Departure 19: the derivative of its cosine lacks the factor 1 - 1e-3."""
    alpha = jnp.exp(THEIRS[name](duo.t))
    duo.assert_near(alpha, f"{name}_alpha", single=(1e-4, 1e-6))
    result = golden.slope(THEIRS[name], duo.t) * alpha
    duo.assert_near(result, factor * duo.exact(f"{name}_dalpha"), single=(1e-4, 1e-6))


@pytest.mark.few(slow=4)
@pytest.mark.parametrize("form", [bounds.rate, bounds.rate.dispatch(object)])
def test_continuous_loss(duo, form):
    kernel = kernels.uniform(golden.almost_linear, duo.num_classes)
    result = form(kernel, duo["x0"], jax.nn.softmax(duo["logits"]), duo["xt"], duo.t)
    duo.assert_near(result, "nll", rtol=1e-8, atol=1e-11, single=(1e-4, 2e-4))


def test_posterior(duo):
    kernel = kernels.uniform(golden.almost_linear, duo.num_classes)
    p_0 = jax.nn.softmax(duo["logits"])
    result = kernels.posterior(kernel, p_0, duo["xt"], duo["s"], duo.t)
    duo.assert_near(result, "posterior")


@pytest.mark.parametrize("kappa", [1.0, 0.6, 0.0])
def test_psi_steps(duo, kappa):
    """Our η is 1 - kappa."""
    process = Process(kernels.uniform(golden.almost_linear, duo.num_classes), None)
    p_0, sampler = jax.nn.softmax(duo["logits"]), samplers.PredictorCorrector(eta=1 - kappa)
    result = sampler.law(process, p_0, duo["xt"], duo["s"], duo.t)
    duo.assert_near(result, f"psi_kappa{kappa}")


@pytest.mark.parametrize(
    ("kind", "theirs", "eta"), [("cap", "capped", 0.3), ("rescale",) * 2 + (0.4,)]
)
def test_how_much_psi_steps_keep(duo, kind, theirs, eta):
    """All but the last, 1. Departure 22: rescaled is η min(η, σ_max), ours η min(1, σ_max)."""
    t, s = duo["kappa_t"][:-1], duo["kappa_t"][1:]
    kernel = kernels.uniform(golden.almost_linear, duo.num_classes)
    share = samplers.PredictorCorrector(kind=kind, eta=eta).share(kernel, s, t)
    if kind == "rescale":
        noise = 1 - jnp.exp(golden.almost_linear(s))
        assert (share > eta**2 / noise).any()
        share = jnp.minimum(share, eta**2 / noise)
    duo.assert_near(1 - share, duo.exact(f"kappa_max-{theirs}-{eta}")[:-1], atol=1e-12)
