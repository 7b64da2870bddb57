"""Losses, laws and steps of six peers: one test of each, with its departures from our list.

Left out: guidance (UDLM); Gaussian schedules, psi samplers whose sigma has no bound, and a loss of
masks in discrete time with the wrong alpha_s (Duo, departure 20); clipped and dynamic weights,
which are other losses than the bound (GIDD, 17); "forward-backward", which breaks its own bound on
sigma in the last step, top-p, which drops the class that crosses p, confidences in bfloat16, and
the steps of discrete flow matching (ReMDM, 27).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, samplers, schedules
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import base
from amd_jax.ops import categorical
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow

FORMS = (bounds.rate, bounds.rate.dispatch(object))
UNIFORM = {"rtol": 1e-8, "atol": 1e-11, "single": (1e-4, 2e-4)}
TIGHT = {"single": (1e-4, 0)}


@pytest.fixture(params=golden.CASES)
def peer(request):
    """That of the test's name."""
    with golden.opened(request.function.__name__.removeprefix("test_"), request.param) as peer:
        yield peer


small = pytest.mark.parametrize("peer", golden.SMALL, indirect=True)


@pytest.mark.few(1)
def test_udlm(peer):
    """Uniform noise, and masks (Schiff et al., 2025)."""
    k, x_0, x_t, s, t = peer.num_classes, peer["x0"], peer["xt"], peer["s"], peer.t
    p_0, uniform = jax.nn.softmax(peer["logits"]), kernels.uniform(schedules.linear, k)
    # Departure 1: the loss has alpha = 1 - t, all else there 1 - (1 - 1e-3) t. Departure 2: its
    # reconstruction term, which is 0 in a bound with alpha_0 = 1, is in `uniform_loss`, not here.
    for form in FORMS:
        peer.assert_near(form(uniform, x_0, p_0, x_t, t), "uniform_diffusion_loss", **UNIFORM)
    theirs = kernels.uniform(golden.almost_linear, k)
    for guess, name in ((p_0, "uniform_posterior"), (peer.clean(k), "uniform_posterior_true")):
        peer.assert_near(kernels.posterior(theirs, guess, x_t, s, t), name)
    # Times T. Its logs take 1e-12 more, and departure 6: t is clipped to 1 - 1e-4.
    steps, late = int(peer["d3pm_T"]), jnp.minimum(peer["d3pm_t"], 1 - 1e-4)
    result = bounds.discrete(uniform, x_0, p_0, x_t, jnp.maximum(late - 1 / steps, 0.0), late)
    close = {"rtol": 1e-6, "atol": 1e-8, "single": (1e-4, 1e-5)}
    peer.assert_near(steps * result, "uniform_d3pm_loss", **close)

    masks, x_t = kernels.absorbing(golden.almost_linear, k), peer["absorb_xt"]
    p_0 = golden.without_mask(peer["absorb_logits"])
    peer.assert_near(kernels.posterior(masks, p_0, x_t, s, t), "absorb_posterior")
    for kernel in (masks, kernels.absorbing(schedules.linear, k)):  # by either schedule
        result = bounds.rate(kernel, x_0, p_0, x_t, t)
        peer.assert_near(result, "absorb_loss", **TIGHT)
        assert np.asarray(result).any()


@pytest.mark.few(1)
def test_duo(peer):
    """Uniform noise (Sahoo et al., 2025)."""
    schedules_of = {  # departure 19: the derivative of its cosine lacks the factor 1 - 1e-3
        "loglinear": (golden.almost_linear, 1.0),
        "cosine": (lambda t: jnp.log1p(-jnp.sin((1 - 1e-3) * jnp.pi / 2 * t)), 1 - 1e-3),
    }
    for name, (schedule, factor) in schedules_of.items():
        alpha = jnp.exp(schedule(peer.t))
        peer.assert_near(alpha, f"{name}_alpha", single=(1e-4, 1e-6))
        expected = factor * peer.exact(f"{name}_dalpha")
        peer.assert_near(golden.slope(schedule, peer.t) * alpha, expected, single=(1e-4, 1e-6))
    kernel, p_0 = (
        kernels.uniform(golden.almost_linear, peer.num_classes),
        jax.nn.softmax(peer["logits"]),
    )
    for form in FORMS:
        peer.assert_near(form(kernel, peer["x0"], p_0, peer["xt"], peer.t), "nll", **UNIFORM)
    given = p_0, peer["xt"], peer["s"], peer.t
    peer.assert_near(kernels.posterior(kernel, *given), "posterior")
    for kappa in (1.0, 0.6, 0.0):
        sampler = samplers.PredictorCorrector(eta=1 - kappa)
        peer.assert_near(sampler.law(Process(kernel, None), *given), f"psi_kappa{kappa}")
    # What psi steps keep; all but the last, 1.
    t, s = peer["kappa_t"][:-1], peer["kappa_t"][1:]
    for kind, theirs, eta in (("cap", "capped", 0.3), ("rescale", "rescale", 0.4)):
        share = samplers.PredictorCorrector(kind=kind, eta=eta).share(kernel, s, t)
        if kind == "rescale":  # departure 22: η min(η, σ_max), ours η min(1, σ_max)
            noise = 1 - jnp.exp(golden.almost_linear(s))
            assert (share > eta**2 / noise).any()
            share = jnp.minimum(share, eta**2 / noise)
        expected = peer.exact(f"kappa_max-{theirs}-{eta}")[:-1]
        peer.assert_near(1 - share, expected, atol=1e-12)


EPS = 1e-3
MDLM = {
    "loglinear": golden.almost_linear,
    "cosine": lambda t: jnp.log1p(-(1 - EPS) * 2 * jnp.sin(jnp.pi * t / 4) ** 2),
    "cosinesqr": lambda t: jnp.log1p(-(1 - EPS) * jnp.sin(jnp.pi * t / 2) ** 2),
    "geometric": golden.from_zero(lambda t: -(1e-3 ** (1 - t)) * 20.0**t),
    "linear": golden.from_zero(lambda t: -(1e-3 + t * (7 - 1e-3))),
}


@pytest.mark.few(1)
def test_mdlm(peer):
    """Masks, and a network that copies unmasked tokens (Sahoo et al., 2024)."""
    k, x_0, x_t, t = peer.num_classes, peer["x0"], peer["xt"], peer.t
    p_0, masked = golden.without_mask(peer["logits"]), np.asarray(x_t) == k
    for name, schedule in MDLM.items():
        peer.assert_near(-schedule(t), f"{name}_sigma")
        peer.assert_near(-golden.slope(schedule, t), f"{name}_dsigma", rtol=1e-6, **TIGHT)
    for name in ("loglinear", "cosine", "linear"):
        result = bounds.rate(kernels.absorbing(MDLM[name], k), x_0, p_0, x_t, t)
        peer.assert_near(result, f"loss_{name}", **TIGHT)
    # On tokens that are not masked theirs copies, and ours may say what it likes.
    peer.assert_near(p_0[masked], np.exp(peer.exact("log_x_theta"))[masked])

    # T times ours. Departure 6: it clips t to 1 - 1e-4; and at t = 1 / T it is NaN, a whole row
    # of 0 / 0, where ours is the cross-entropy of the masked.
    steps, kernel = int(peer["disc_T"]), kernels.absorbing(schedules.linear, k)
    late = jnp.minimum(peer["disc_t"], 1 - 1e-4)
    s = jnp.maximum(late - 1 / steps, 0).at[0].set(0)
    some_on_the_mask = jax.nn.softmax(peer["logits"])
    for name, guess in (("loss_disc", p_0), ("d3pm_loss_disc", some_on_the_mask)):
        result = steps * bounds.discrete(kernel, x_0, guess, x_t, s, late)
        expected = peer.exact(name)
        peer.assert_near(result[1:], expected[1:], single=(1e-4, 1e-4))
        assert np.isnan(expected[0]).all()
        assert np.isfinite(result[0]).all()
        if guess is p_0:
            entropy = -steps * jnp.log(categorical.gather(p_0, x_0)[0])
            peer.assert_near(result[0], jnp.where(masked[0], entropy, 0.0))

    # Weights of its samplers are the posterior of masks up to a factor; the rest is copied.
    for name, schedule in (
        ("cache_q", schedules.linear),  # departure 8: not the schedule it is trained with
        ("ddpm_q", golden.almost_linear),
        ("analytic_q", golden.almost_linear),
    ):
        kernel = kernels.absorbing(schedule, k)
        result = kernels.posterior(kernel, p_0, x_t, t - peer["dt"], t)
        expected = peer.exact(name) / peer.exact(name).sum(axis=-1, keepdims=True)
        peer.assert_near(result[masked], expected[masked])
        peer.assert_near(result[~masked], categorical.one_hot(x_t, k + 1)[~masked])


@small
@pytest.mark.few(1)
@pytest.mark.parametrize("path", ["pu0.0", "pu0.1", "pu0.2", "pu0.1_gamma2"])
def test_gidd(peer, path):
    """Masks and uniform noise on the way to them (von Rütte et al., 2025)."""
    k, x_0, x_t, t = peer.num_classes, peer["x0"], peer["zt"], peer.t
    p_u, *gamma = (float(number) for number in path.removeprefix("pu").split("_gamma"))
    kernel = kernels.masks_and_uniform(k, p_u or np.exp(-20.0), *gamma)  # departure 18
    p_0 = golden.without_mask(peer["logits"])
    log_alpha, noise = kernel.level(t)
    peer.assert_near(jnp.exp(log_alpha), f"{path}_alpha", **TIGHT)
    peer.assert_near(noise, f"{path}_beta_pi", **TIGHT)
    q_t = kernel.push(peer.clean(k + 1), peer.start, t)
    peer.assert_near(q_t, f"{path}_q_t")
    # (n' - (log α)' n)[x_t] / q_t(x_t | x_0), of which the bound's form is made.
    log_slope, change = golden.slope(kernel.level, t)
    peer.assert_near(log_slope, f"{path}_alpha_ratio", **TIGHT)
    into = change - log_slope[:, None] * noise
    weights = categorical.gather(into[:, None] / q_t, x_t)
    peer.assert_near(weights, f"{path}_elbo_weights", **TIGHT)
    for form in FORMS:
        result = form(kernel, x_0, p_0, x_t, t)
        peer.assert_near(result, f"{path}_elbo", atol=1e-11, single=(1e-4, 1e-4))
    result = kernels.posterior(kernel, p_0, x_t, peer["s"], t)
    peer.assert_near(result, f"{path}_step_probs")
    if p_u == 0:  # of masks, theirs with e^-20 of uniform noise is ours without
        masked = np.asarray(x_t) == k
        result = bounds.rate(kernels.masks_and_uniform(k, 0.0), x_0, p_0, x_t, t)
        peer.assert_near(result[masked], peer.exact("pu0.0_elbo")[masked], rtol=1e-5, **TIGHT)


AFTER = 1e-30  # stands for MD4's time 0, whose alpha there is not 1: departure 9
NOISE = {
    "linear": lambda t: t,
    "cosine": lambda t: jnp.sin(jnp.pi / 2 * t),
    "poly2": lambda t: t**2,
    "poly0.5": lambda t: t**0.5,
}


def masking(md4, name):
    """Its alpha runs from 1 - 1e-4 to 1e-4 for every schedule."""
    log_alpha = lambda t: jnp.log1p(-(1e-4 + (1 - 2e-4) * NOISE[name](t)))  # noqa: E731
    return kernels.absorbing(golden.from_zero(log_alpha), md4.num_classes)


@small
@pytest.mark.few(1)
@pytest.mark.parametrize("name", NOISE)
def test_md4(peer, name):
    """Masks (Shi et al., 2024); for GenMD4 see `test_learned_schedule.py`."""
    kernel, t, x_0, x_t = masking(peer, name), peer["t_sched"][1:], peer["x0"], peer["zt"]
    alpha, loose = jnp.exp(kernel.schedule(t)), {"single": (1e-3, 1e-6)}
    peer.assert_near(alpha, peer.exact(f"{name}_alpha")[1:], **loose)
    result = golden.slope(kernel.schedule, t) * alpha
    peer.assert_near(result, peer.exact(f"{name}_dalpha")[1:], **loose)
    p_0 = golden.with_mask(jax.nn.softmax(peer["logits"]))
    for form in FORMS:
        terms = categorical.sum_event(form(kernel, x_0, p_0, x_t, peer.t))
        peer.assert_near(terms, f"{name}_loss_cont", **TIGHT)
    # Times T: theirs is the whole sum's estimate.
    steps = int(peer["disc_T"])
    s = jnp.maximum((jnp.floor(peer.t * steps)) / steps, AFTER).astype(peer.dtype)
    terms = categorical.sum_event(bounds.discrete(kernel, x_0, p_0, x_t, s, peer["disc_t"]))
    peer.assert_near(steps * terms, f"{name}_loss_disc", **TIGHT)
    if name not in ("linear", "cosine"):
        return
    masks = jnp.full((3, *p_0[:2].shape[:-1]), peer.num_classes)
    for grid in ("uniform", "cosine"):  # of times of ancestral steps
        s, t = jnp.maximum(peer[f"{grid}_grid_st"], AFTER).T
        expected = peer.exact(f"{name}_{grid}_step_probs")
        guess = jnp.broadcast_to(p_0[:2], expected.shape)
        peer.assert_near(kernels.posterior(kernel, guess, masks, s, t), expected)
    if name == "linear":  # top-p: the class that crosses p is kept, as ours; theirs is float32
        s, t = jnp.maximum(peer["uniform_grid_st"][1:2], AFTER).T
        expected = peer.exact("linear_uniform_topp0.9_i4").astype(np.float64)
        assert (expected == 0).any()
        result = kernels.posterior(kernel, base.tempered(p_0[:2], 1.0, 0.9), masks[0], s, t)
        peer.assert_near(result, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.few(1)
def test_remdm(peer):
    """Masks that come back, with alpha = 1 - t (Wang et al., 2025)."""
    process = Process(kernels.absorbing(schedules.linear, peer.num_classes), None)

    def law(sampler, s, t, *memory):
        return sampler.law(process, peer["x_hat"], peer["xt"], s, t, *memory)

    s, t = peer.t - peer["dt"], peer.t
    for kind, eta in (("cap", 0.3), ("cap", 0.02), ("rescale", 0.4)):
        result = law(samplers.PredictorCorrector(kind=kind, eta=eta), s, t)
        peer.assert_near(result, f"remdm-{kind}_eta{eta}_q", atol=1e-12)
    # Of a loop, those at the one time that it stays at; the others are ancestral.
    on, off, times = (peer.exact(name) for name in ("loop_t_on", "loop_t_off", "t"))
    stays = (times > off + 1e-9) & (times <= on)
    assert stays.sum() == 3
    still = jnp.full_like(t, 1 - peer["loop_alpha_on"])
    result = law(samplers.PredictorCorrector(kind="loop", eta=0.1), still, still)
    peer.assert_near(result[stays], peer.exact("remdm-loop_eta0.1_q")[stays], atol=1e-12)
    # Their confidence is ours with a minus, and minus infinity on masks.
    result = law(samplers.Remasking(), s, t, -peer["conf_f64"])
    peer.assert_near(result, "remdm-conf_q_f64conf", atol=1e-12)
    other = law(samplers.Remasking(), s, t, 0 * peer["x_hat"][..., 0])
    assert np.abs(other - peer.exact("remdm-conf_q_f64conf")).max() > 0.01
