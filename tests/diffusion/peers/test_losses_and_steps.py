"""Losses, laws and steps of eight peers: one test of each, with its departures from our list.

Left out: guidance (UDLM); Gaussian schedules, psi samplers whose sigma has no bound, and a loss of
masks in discrete time with the wrong alpha_s (Duo, departure 20); clipped and dynamic weights,
which are other losses than the bound (GIDD, 17); "forward-backward", which breaks its own bound on
sigma in the last step, top-p, which drops the class that crosses p, confidences in bfloat16, and
the steps of discrete flow matching (ReMDM, 27); laws of times of change that are of no schedule,
"linear lambda" and the Beta laws (DNDM, 31).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, samplers, schedules
from amd_jax.diffusion.kernels import class_masking
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import base
from amd_jax.ops import categorical
from tests import enumeration, golden_files
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow

peer = pytest.fixture(golden.opened, params=golden.STATES)


@pytest.mark.few(1)
def test_udlm(peer):
    """Uniform noise, and masks (Schiff et al., 2025)."""
    k, x_0, x_t, s, t = peer.num_classes, peer["x0"], peer["xt"], peer["s"], peer.t
    p_0, uniform = jax.nn.softmax(peer["logits"]), kernels.uniform(schedules.linear, k)
    # Departure 1: the loss has alpha = 1 - t, all else there 1 - (1 - 1e-3) t. Departure 2: its
    # reconstruction term, which is 0 in a bound with alpha_0 = 1, is in `uniform_loss`, not here.
    for form in golden.FORMS:
        peer.near(form(uniform, x_0, p_0, x_t, t), "uniform_diffusion_loss", 1e-8, 1e-11)
    theirs, clean = kernels.uniform(golden.almost_linear, k), categorical.one_hot(x_0, k)
    for guess, name in ((p_0, "uniform_posterior"), (clean, "uniform_posterior_true")):
        peer.near(kernels.posterior(theirs, guess, x_t, s, t), name)
    # Times T. Its logs take 1e-12 more, and departure 6: t is clipped to 1 - 1e-4.
    steps, late = int(peer["d3pm_T"]), jnp.minimum(peer["d3pm_t"], 1 - 1e-4)
    result = bounds.discrete(uniform, x_0, p_0, x_t, jnp.maximum(late - 1 / steps, 0.0), late)
    peer.near(steps * result, "uniform_d3pm_loss", 1e-6, 1e-8)

    masks, x_t = kernels.absorbing(golden.almost_linear, k), peer["absorb_xt"]
    p_0 = golden.without_mask(peer["absorb_logits"])
    peer.near(kernels.posterior(masks, p_0, x_t, s, t), "absorb_posterior")
    for kernel in (masks, kernels.absorbing(schedules.linear, k)):  # by either schedule
        result = bounds.rate(kernel, x_0, p_0, x_t, t)
        peer.near(result, "absorb_loss")
        assert np.asarray(result).any()


@pytest.mark.few(1)
def test_duo(peer):
    """Uniform noise (Sahoo et al., 2025)."""
    for name, schedule, factor in (  # departure 19: the slope of its cosine lacks 1 - 1e-3
        ("loglinear", golden.almost_linear, 1.0),
        ("cosine", lambda t: jnp.log1p(-jnp.sin((1 - 1e-3) * jnp.pi / 2 * t)), 1 - 1e-3),
    ):
        alpha = jnp.exp(schedule(peer.t))
        peer.near(alpha, f"{name}_alpha")
        peer.near(golden.slope(schedule, peer.t) * alpha, factor * peer[f"{name}_dalpha"])
    kernel = kernels.uniform(golden.almost_linear, peer.num_classes)
    p_0 = jax.nn.softmax(peer["logits"])
    for form in golden.FORMS:
        peer.near(form(kernel, peer["x0"], p_0, peer["xt"], peer.t), "nll", 1e-8, 1e-11)
    given = p_0, peer["xt"], peer["s"], peer.t
    peer.near(kernels.posterior(kernel, *given), "posterior")
    for kappa in (1.0, 0.6, 0.0):
        sampler = samplers.PredictorCorrector(eta=1 - kappa)
        peer.near(sampler.law(Process(kernel, None), *given), f"psi_kappa{kappa}")
    # What psi steps keep; all but the last, 1.
    t, s = peer["kappa_t"][:-1], peer["kappa_t"][1:]
    for kind, theirs, eta in (("cap", "capped", 0.3), ("rescale", "rescale", 0.4)):
        share = samplers.PredictorCorrector(kind=kind, eta=eta).share(kernel, s, t)
        if kind == "rescale":  # departure 22: η min(η, σ_max), ours η min(1, σ_max)
            noise = 1 - jnp.exp(golden.almost_linear(s))
            assert (share > eta**2 / noise).any()
            share = jnp.minimum(share, eta**2 / noise)
        peer.near(1 - share, peer[f"kappa_max-{theirs}-{eta}"][:-1], atol=1e-12)


EPS = 1e-3
MDLM = {
    "loglinear": golden.almost_linear,
    "cosine": lambda t: jnp.log1p(-(1 - EPS) * 2 * jnp.sin(jnp.pi * t / 4) ** 2),
    "cosinesqr": lambda t: jnp.log1p(-(1 - EPS) * jnp.sin(jnp.pi * t / 2) ** 2),
    "geometric": golden.geometric,
    "linear": golden.from_zero(lambda t: -(1e-3 + t * (7 - 1e-3))),
}


@pytest.mark.few(1)
def test_mdlm(peer):
    """Masks, and a network that copies unmasked tokens (Sahoo et al., 2024)."""
    k, x_0, x_t, t = peer.num_classes, peer["x0"], peer["xt"], peer.t
    p_0, masked = golden.without_mask(peer["logits"]), x_t == k
    for name, schedule in MDLM.items():
        peer.near(-schedule(t), f"{name}_sigma")
        peer.near(-golden.slope(schedule, t), f"{name}_dsigma", rtol=1e-6)
    for name in ("loglinear", "cosine", "linear"):
        result = bounds.rate(kernels.absorbing(MDLM[name], k), x_0, p_0, x_t, t)
        peer.near(result, f"loss_{name}")
    # On tokens that are not masked theirs copies, and ours may say what it likes.
    peer.near(p_0[masked], np.exp(peer["log_x_theta"])[masked])

    # T times ours. Departure 6: it clips t to 1 - 1e-4; and at t = 1 / T it is NaN, a whole row
    # of 0 / 0, where ours is the cross-entropy of the masked.
    steps, kernel = int(peer["disc_T"]), kernels.absorbing(schedules.linear, k)
    late = jnp.minimum(peer["disc_t"], 1 - 1e-4)
    s = jnp.maximum(late - 1 / steps, 0).at[0].set(0)
    some_on_the_mask = jax.nn.softmax(peer["logits"])
    for name, guess in (("loss_disc", p_0), ("d3pm_loss_disc", some_on_the_mask)):
        result = steps * bounds.discrete(kernel, x_0, guess, x_t, s, late)
        peer.near(result[1:], peer[name][1:])
        assert np.isnan(peer[name][0]).all()
        assert np.isfinite(result[0]).all()
        if guess is p_0:
            entropy = -steps * jnp.log(categorical.gather(p_0, x_0)[0])
            peer.near(result[0], jnp.where(masked[0], entropy, 0.0))

    # Weights of its samplers are the posterior of masks up to a factor; the rest is copied.
    for name, schedule in (
        ("cache_q", schedules.linear),  # departure 8: not the schedule it is trained with
        ("ddpm_q", golden.almost_linear),
        ("analytic_q", golden.almost_linear),
    ):
        kernel = kernels.absorbing(schedule, k)
        result = kernels.posterior(kernel, p_0, x_t, t - peer["dt"], t)
        expected = peer[name] / peer[name].sum(axis=-1, keepdims=True)
        peer.near(result[masked], expected[masked])
        peer.near(result[~masked], categorical.one_hot(x_t, k + 1)[~masked])


@golden.small
@pytest.mark.few(1)
@pytest.mark.parametrize("path", ["pu0.0", "pu0.1", "pu0.2", "pu0.1_gamma2"])
def test_gidd(peer, path):
    """Masks and uniform noise on the way to them (von Rütte et al., 2025)."""
    k, x_0, x_t, t = peer.num_classes, peer["x0"], peer["zt"], peer.t
    p_u, *gamma = (float(number) for number in path.removeprefix("pu").split("_gamma"))
    kernel = kernels.masks_and_uniform(k, p_u or np.exp(-20.0), *gamma)  # departure 18
    p_0 = golden.without_mask(peer["logits"])
    log_alpha, noise = kernel.level(t)
    q_t = kernel.push(categorical.one_hot(x_0, k + 1, dtype=float), peer.start, t)
    # (n' - (log α)' n)[x_t] / q_t(x_t | x_0), of which the bound's form is made.
    log_slope, change = golden.slope(kernel.level, t)
    into = change - log_slope[:, None] * noise
    for name, result in {
        "alpha": jnp.exp(log_alpha),
        "beta_pi": noise,
        "q_t": q_t,
        "alpha_ratio": log_slope,
        "elbo_weights": categorical.gather(into[:, None] / q_t, x_t),
        "step_probs": kernels.posterior(kernel, p_0, x_t, peer["s"], t),
    }.items():
        peer.near(result, f"{path}_{name}")
    for form in golden.FORMS:
        peer.near(form(kernel, x_0, p_0, x_t, t), f"{path}_elbo", atol=1e-11)
    if p_u == 0:  # of masks, theirs with e^-20 of uniform noise is ours without
        result = bounds.rate(kernels.masks_and_uniform(k, 0.0), x_0, p_0, x_t, t)
        peer.near(result[x_t == k], peer["pu0.0_elbo"][x_t == k], rtol=1e-5)


AFTER = 1e-30  # stands for MD4's time 0, whose alpha there is not 1: departure 9
NOISE = {
    "linear": lambda t: t,
    "cosine": lambda t: jnp.sin(jnp.pi / 2 * t),
    "poly2": lambda t: t**2,
    "poly0.5": lambda t: t**0.5,
}


@golden.small
@pytest.mark.few(1)
@pytest.mark.parametrize("name", NOISE)
def test_md4(peer, name):
    """Masks (Shi et al., 2024). Its alpha runs from 1 - 1e-4 to 1e-4 for every schedule."""
    log_alpha = lambda t: jnp.log1p(-(1e-4 + (1 - 2e-4) * NOISE[name](t)))  # noqa: E731
    kernel = kernels.absorbing(golden.from_zero(log_alpha), peer.num_classes)
    t, x_0, x_t = peer["t_sched"][1:], peer["x0"], peer["zt"]
    alpha = jnp.exp(kernel.schedule(t))
    peer.near(alpha, peer[f"{name}_alpha"][1:])
    peer.near(golden.slope(kernel.schedule, t) * alpha, peer[f"{name}_dalpha"][1:])
    p_0 = golden.with_mask(jax.nn.softmax(peer["logits"]))
    for form in golden.FORMS:
        terms = categorical.sum_event(form(kernel, x_0, p_0, x_t, peer.t))
        peer.near(terms, f"{name}_loss_cont")
    # Times T: theirs is the whole sum's estimate.
    steps = int(peer["disc_T"])
    s = jnp.maximum((jnp.floor(peer.t * steps)) / steps, AFTER)
    terms = categorical.sum_event(bounds.discrete(kernel, x_0, p_0, x_t, s, peer["disc_t"]))
    peer.near(steps * terms, f"{name}_loss_disc")
    if name not in ("linear", "cosine"):
        return
    masks = jnp.full((3, *p_0[:2].shape[:-1]), peer.num_classes)
    for grid in ("uniform", "cosine"):  # of times of ancestral steps
        s, t = jnp.maximum(peer[f"{grid}_grid_st"], AFTER).T
        expected = peer[f"{name}_{grid}_step_probs"]
        guess = jnp.broadcast_to(p_0[:2], expected.shape)
        peer.near(kernels.posterior(kernel, guess, masks, s, t), expected)
    if name == "linear":  # top-p: the class that crosses p is kept, as ours; theirs is float32
        s, t = jnp.maximum(peer["uniform_grid_st"][1:2], AFTER).T
        expected = peer["linear_uniform_topp0.9_i4"]
        assert (expected == 0).any()
        result = kernels.posterior(kernel, base.tempered(p_0[:2], 1.0, 0.9), masks[0], s, t)
        peer.near(result, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.few(1)
def test_genmd4(peer):
    """Masks by class, by the general rate; losses do not depend on ε, whose factor cancels."""
    part, x, t = class_masking.PerClassMasking(peer.num_classes, epsilon=1e-4), peer["x0"], peer.t
    kernel = part.open({"powers": jnp.asarray(peer["gen_w"])})
    alpha = jnp.exp(kernel.log_alpha(t))
    peer.near(kernel.powers, "gen_power")
    peer.near(alpha, "gen_alpha")
    peer.near(categorical.gather(alpha[:, None], x), "gen_keep_prob")
    kernel = class_masking.ClassMasking(peer["gen_power"])
    for tokens, logits, loss in (("zt", "logits", 1), ("gen_zt2", "gen_logits2", 2)):
        theirs, x_t = jax.nn.softmax(peer[logits]), peer[tokens]
        # The guess without the own token, of which their μ is the posterior.
        guess = theirs / -jnp.expm1(kernel.log_alpha(t))[:, None]
        p_0 = golden.with_mask(categorical.normalize(guess))
        mu = kernels.denoising_posterior(kernel, p_0, x_t, t).law[..., :-1]
        masked = x_t == kernel.num_classes
        peer.near(mu[masked], theirs[masked])
        terms = categorical.sum_event(bounds.rate(kernel, x, p_0, x_t, t))
        peer.near(terms, f"gen_loss{loss}", atol=1e-9)


@pytest.mark.few(1)
def test_remdm(peer):
    """Masks that come back, with alpha = 1 - t (Wang et al., 2025)."""
    process = Process(kernels.absorbing(schedules.linear, peer.num_classes), None)

    def law(sampler, s, t, *memory):
        return sampler.law(process, peer["x_hat"], peer["xt"], s, t, *memory)

    s, t = peer.t - peer["dt"], peer.t
    for kind, eta in (("cap", 0.3), ("cap", 0.02), ("rescale", 0.4)):
        result = law(samplers.PredictorCorrector(kind=kind, eta=eta), s, t)
        peer.near(result, f"remdm-{kind}_eta{eta}_q", atol=1e-12)
    # Of a loop, those at the one time that it stays at; the others are ancestral.
    stays = (t > peer["loop_t_off"] + 1e-9) & (t <= peer["loop_t_on"])
    assert stays.sum() == 3
    still = jnp.full_like(t, 1 - peer["loop_alpha_on"])
    result = law(samplers.PredictorCorrector(kind="loop", eta=0.1), still, still)
    peer.near(result[stays], peer["remdm-loop_eta0.1_q"][stays], atol=1e-12)
    # Their confidence is ours with a minus, and minus infinity on masks.
    result = law(samplers.Remasking(), s, t, -peer["conf_f64"])
    peer.near(result, "remdm-conf_q_f64conf", atol=1e-12)
    other = law(samplers.Remasking(), s, t, 0 * peer["x_hat"][..., 0])
    assert np.abs(other - peer["remdm-conf_q_f64conf"]).max() > 0.01


def dndm_cosine(t):
    """A squared cosine, with an offset of 0.08."""
    cos = jnp.cos((t + 0.08) / 1.08 * jnp.pi / 2) ** 2 / jnp.cos(0.08 / 1.08 * jnp.pi / 2) ** 2
    return jnp.where(t > 0, jnp.log(jnp.maximum(cos, 1e-13)), 0.0)


DNDM = {"linear_alpha": schedules.linear, "cosine": dndm_cosine}


@pytest.mark.parametrize("name", DNDM)
def test_dndm(name):
    """Times of change (Chen et al., 2024): theirs of the whole batch, ours of each row.

    Ours, for u on a fine grid, have P(τ = i / T) = α_{i-1} - α_i; theirs are draws of that.
    """
    theirs, number = golden_files.load("peers/dndm"), 20_000
    steps, counts = int(theirs["T"]), theirs[f"{name}_counts"]
    with jax.enable_x64(True):
        u = (jnp.arange(number) + 0.5) / number
        kernel = kernels.uniform(DNDM[name], 5)
        tau = samplers.DNDM(steps=steps).times_of_change(kernel, u)
        result = np.bincount(np.round(tau * steps).astype(int), minlength=steps + 1)
        alpha = np.exp(np.asarray(kernel.schedule(jnp.arange(steps + 1) / steps)))
    np.testing.assert_allclose(result[1:] / number, -np.diff(alpha), atol=2 / number)
    enumeration.assert_drawn_from(np.repeat(np.arange(steps + 1), counts), result)
