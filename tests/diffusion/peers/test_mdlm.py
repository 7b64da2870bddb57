"""MDLM: masked diffusion with a network that copies unmasked tokens (Sahoo et al., 2024)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.ops import categorical
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow

EPS = 1e-3
THEIRS = {
    "loglinear": golden.almost_linear,
    "cosine": lambda t: jnp.log1p(-(1 - EPS) * 2 * jnp.sin(jnp.pi * t / 4) ** 2),
    "cosinesqr": lambda t: jnp.log1p(-(1 - EPS) * jnp.sin(jnp.pi * t / 2) ** 2),
    "geometric": golden.from_zero(lambda t: -(1e-3 ** (1 - t)) * 20.0**t),
    "linear": golden.from_zero(lambda t: -(1e-3 + t * (7 - 1e-3))),
}


@pytest.fixture(params=golden.CASES)
def mdlm(request):
    with golden.opened("mdlm", request.param) as peer:
        yield peer


@pytest.mark.parametrize("name", THEIRS)
def test_schedules_in_this_file_are_theirs(mdlm, name):
    mdlm.assert_near(-THEIRS[name](mdlm.t), f"{name}_sigma")
    result = -golden.slope(THEIRS[name], mdlm.t)
    mdlm.assert_near(result, f"{name}_dsigma", rtol=1e-6, single=(1e-4, 0))


@pytest.mark.few(slow=6)
@pytest.mark.parametrize("name", ["loglinear", "cosine", "linear"])
def test_continuous_loss(mdlm, name):
    kernel = kernels.absorbing(THEIRS[name], mdlm.num_classes)
    p_0 = golden.without_mask(mdlm["logits"])
    result = bounds.rate(kernel, mdlm["x0"], p_0, mdlm["xt"], mdlm.t)
    mdlm.assert_near(result, f"loss_{name}", single=(1e-4, 0))


def test_guess_is_theirs(mdlm):
    """Of the masked; on the others theirs copies, and ours may say what it likes."""
    masked = np.asarray(mdlm["xt"]) == mdlm.num_classes
    expected = np.exp(mdlm.exact("log_x_theta"))
    mdlm.assert_near(golden.without_mask(mdlm["logits"])[masked], expected[masked])


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("loss_disc", golden.without_mask),
        ("d3pm_loss_disc", jax.nn.softmax),  # with some mass on the mask
    ],
)
def test_discrete_loss(mdlm, name, guess):
    """T times ours. Departure 6: it clips t to 1 - 1e-4; and at t = 1 / T it is NaN, a whole row
    of 0 / 0, where ours is the cross-entropy of the masked.
    """
    steps, kernel = int(mdlm["disc_T"]), kernels.absorbing(schedules.linear, mdlm.num_classes)
    t = jnp.minimum(mdlm["disc_t"], 1 - 1e-4)
    s = jnp.maximum(t - 1 / steps, 0).at[0].set(0)
    x_0, p_0, x_t = mdlm["x0"], guess(mdlm["logits"]), mdlm["xt"]
    result, expected = steps * bounds.discrete(kernel, x_0, p_0, x_t, s, t), mdlm.exact(name)
    mdlm.assert_near(result[1:], expected[1:], single=(1e-4, 1e-4))
    assert np.isnan(expected[0]).all()
    assert np.isfinite(result[0]).all()
    if guess is golden.without_mask:
        entropy = -steps * jnp.log(categorical.gather(p_0, x_0)[0])
        mdlm.assert_near(result[0], jnp.where(x_t[0] == mdlm.num_classes, entropy, 0.0))


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("cache_q", schedules.linear),  # departure 8: not the schedule it is trained with
        ("ddpm_q", golden.almost_linear),
        ("analytic_q", golden.almost_linear),
    ],
)
def test_sampling_weights_are_the_posterior_up_to_a_factor(mdlm, name, schedule):
    """Of masks; tokens that are not masked are copied afterwards."""
    kernel = kernels.absorbing(schedule, mdlm.num_classes)
    s, x_t = mdlm.t - mdlm["dt"], mdlm["xt"]
    result = kernels.posterior(kernel, golden.without_mask(mdlm["logits"]), x_t, s, mdlm.t)
    expected = mdlm.exact(name) / mdlm.exact(name).sum(axis=-1, keepdims=True)
    masked = np.asarray(x_t) == mdlm.num_classes
    mdlm.assert_near(result[masked], expected[masked])
    copied = categorical.one_hot(x_t, mdlm.num_classes + 1)[~masked]
    mdlm.assert_near(result[~masked], copied)
