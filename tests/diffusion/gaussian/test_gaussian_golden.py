"""Numbers from the code of improved-diffusion and of VDM, as arguments of our functions.

openai/improved-diffusion @ 1bc7bbbd, MIT, made float64; google-research/vdm @ dc27b98a,
Apache-2.0, whose network is replaced by its stored output. None of their code is here.

The first (Nichol and Dhariwal, 2021) has T levels, of which the last step leads to data as bins of
width 2/255 by a decoder of its own; our model has T - 1 steps between these levels and reads
classes off the first of them (VDM's decoder). So at their t = 0 we compare what their step is made
of: s has no noise at all there, γ = -inf, and its log-variance is that of t = 1 ("clipped").
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, gaussian
from amd_jax.diffusion.gaussian import noise_schedules
from amd_jax.diffusion.samplers import time_grids
from amd_jax.ops import categorical
from tests import golden_files
from tests.variants import quick

pytestmark = pytest.mark.slow

OPENAI = golden_files.load("baselines/gaussian_diffusion")
MADE = {"linear": noise_schedules.linear_betas, "cosine": noise_schedules.cosine_betas}
SCHEDULES = quick(["linear100", "cosine100", "cosine1000"], "linear100")
CASES = {  # what the network puts out, and its variance
    "eps_range": ("eps", "range"),
    "eps_learned": ("eps", "learned"),
    "eps_small": ("eps", "small"),
    "eps_large": ("eps", "large"),
    "x0_large": ("x0", "large"),
    "xprev_small": ("xprev", "small"),
}


class Theirs:
    """Arrays of one schedule, and our levels at their times."""

    def __init__(self, name):
        start = f"{name}/"
        self.arrays = {k.removeprefix(start): v for k, v in OPENAI.items() if k.startswith(start)}
        kind, number = name[:6], int(name[6:])
        self.number, self.table = number, MADE[kind](number).gammas
        self.s, self.gamma_t = self.at(self["t"] - 1), self.at(self["t"])
        self.x_0 = jnp.asarray(np.float32(self["n"] / 127.5 - 1), jnp.result_type(float))

    def __getitem__(self, name):
        result = self.arrays[name]
        return jnp.asarray(result, jnp.result_type(float)) if result.dtype.kind == "f" else result

    def at(self, t):
        """Our γ at their times, -1 being the data: (N, 1, 1, 1)."""
        return jnp.append(self.table, -jnp.inf)[t].reshape(-1, 1, 1, 1)

    def log_variances(self, t):
        """Small and large, with what theirs have at t = 0 instead of -inf and of β_0."""
        early = np.maximum(t, 1)
        small = gaussian.log_variances(self.at(early - 1), self.at(early))[0]
        large = gaussian.log_variances(self.at(t - 1), self.at(t))[1]
        return small, jnp.where((t == 0).reshape(large.shape), small, large)


@pytest.fixture(params=SCHEDULES)
def theirs(request):
    with jax.enable_x64(True):
        yield Theirs(request.param)


def near(result, expected, rtol=1e-9, atol=1e-13):
    assert np.asarray(result).dtype == np.float64
    np.testing.assert_allclose(result, np.broadcast_to(expected, result.shape), rtol, atol)


def test_tables_and_the_term_of_the_prior(theirs):
    i = theirs["table_idx"]
    s, t = theirs.at(i - 1).ravel(), theirs.at(i).ravel()
    small, large = gaussian.log_variances(s, t)
    clean, kept = gaussian.posterior_weights(s, t)
    near(jnp.exp(large), theirs["betas"])
    near(gaussian.signal(t) ** 2, theirs["alphas_cumprod"])
    near(jnp.exp(small), theirs["posterior_variance"])
    near(theirs.log_variances(i)[0].ravel(), theirs["posterior_log_variance_clipped"])
    near(clean, theirs["posterior_mean_coef1"])
    near(kept, theirs["posterior_mean_coef2"])
    last = flat(theirs, lambda t: jnp.full(t.shape, theirs.number - 1))
    result = gaussian.bounds.prior_kl(last, jnp.arange(6)) / (18 * np.log(2))
    near(result, theirs["prior_bits"])


def test_forward_process_and_posterior(theirs):
    s, t, x_0 = theirs.s, theirs.gamma_t, theirs.x_0
    near(gaussian.signal(t) * x_0, theirs["q_mean"])
    near(gaussian.noise(t) ** 2 + 0 * x_0, theirs["q_var"])
    near(jax.nn.log_sigmoid(t) + 0 * x_0, theirs["q_logvar"])
    x_t = gaussian.diffused(x_0, theirs["noise"], t)
    near(x_t, theirs["x_t"])
    near(gaussian.posterior_mean(x_0, x_t, s, t), theirs["post_mean"])
    near(jnp.exp(gaussian.log_variances(s, t)[0]) + 0 * x_0, theirs["post_var"])
    near(theirs.log_variances(theirs["t"])[0] + 0 * x_0, theirs["post_logvar"])
    near(gaussian.noise_of(x_t, x_0, t), theirs["noise"], rtol=1e-6)


def guessed(theirs, output):
    """The guess of x_0, and the network's numbers of which it is made."""
    s, t, x_t = theirs.s, theirs.gamma_t, theirs["x_t"]
    if output == "eps":
        eps = theirs["model_out"][:, :2]
        return gaussian.clean_of(x_t, eps, t), eps
    if output == "x0":
        return theirs["x0_pred"], theirs["x0_pred"]
    clean, kept = gaussian.posterior_weights(s, t)
    return (theirs["x0_pred"] - kept * x_t) / clean, theirs["x0_pred"]


def mean_bits(nats):
    return nats.mean(axis=(-3, -2, -1)) / np.log(2)


def in_bins(x_0, mean, log_std):
    """log of a normal's mass within 1/255 of x_0, (...), of all beyond at ±1; clamped as theirs.

    Bins of pixels: 256 classes at the points 2 n / 255 - 1. For classes as points we have
    `gaussian.decoded` instead, which fits any number of them.
    """
    x_0, mean, log_std = (np.asarray(a) for a in (x_0, mean, log_std))
    below, above = (by_tanh((x_0 - mean + h) * np.exp(-log_std)) for h in (-1 / 255, 1 / 255))
    mass = np.where(x_0 < -0.999, above, np.where(x_0 > 0.999, 1 - below, above - below))
    return np.log(np.maximum(mass, 1e-12))


def by_tanh(u):
    """Their approximation of the normal CDF."""
    return 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))


@pytest.mark.few(2)
@pytest.mark.parametrize("clip", quick([False, True], False), ids=["", "clip"])
@pytest.mark.parametrize("case", quick(CASES, "eps_range", "xprev_small"))
def test_reverse_step_and_bound(theirs, case, clip):
    output, kind = CASES[case]
    s, t, x_0, noise = theirs.s, theirs.gamma_t, theirs.x_0, theirs["noise"]
    guess, out = guessed(theirs, output)
    guess, how = (guess.clip(-1, 1), "clip_") if clip else (guess, "")
    small, large = theirs.log_variances(theirs["t"])
    if kind == "range":  # whose largest is β_0 itself
        large = gaussian.log_variances(s, t)[1]
    log_variance = gaussian.VARIANCES[kind](theirs["model_out"][:, 2:], small, large)
    mean = gaussian.posterior_mean(guess, theirs["x_t"], s, t)
    if output == "xprev":
        mean = out  # theirs clips the guess only, and not the mean that the network gives
    near(guess, theirs[f"{case}/{how}pred_x0"])
    near(mean, theirs[f"{case}/{how}mean"])

    true = gaussian.log_variances(s, t)[0]
    terms = mean_bits(gaussian.step_kl(x_0 - guess, true - log_variance, s, t) + 0 * x_0)
    if output == "xprev":  # of which a clipped guess is not what the mean was made of
        unclipped, _ = guessed(theirs, output)
        terms = mean_bits(gaussian.step_kl(x_0 - unclipped, true - log_variance, s, t))
    decoder = mean_bits(-in_bins(x_0, mean, log_variance / 2))
    result = jnp.where(theirs["t"] == 0, decoder, terms)
    near(result, theirs[f"{case}/{how}vb_bits"], rtol=1e-7)

    if not clip:
        near(log_variance + 0 * x_0, theirs[f"{case}/logvar"])
        wanted = {"eps": noise, "x0": x_0, "xprev": theirs["post_mean"]}[output]
        loss = jnp.square(wanted - out).mean(axis=(1, 2, 3))
        if kind in gaussian.SAID:
            loss += result * theirs.number / 1000
        near(loss, theirs[f"{case}/loss"], rtol=1e-7)
        near(theirs.number * result, theirs[f"{case}/loss_kl_rescaled"], rtol=1e-7)


@pytest.mark.parametrize("name", SCHEDULES)
def test_float32_keeps_the_means(name):
    """As theirs does, to 5e-6 of float64."""
    theirs = Theirs(name)
    mean = gaussian.posterior_mean(theirs.x_0, theirs["x_t"], theirs.s, theirs.gamma_t)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, theirs.arrays["post_mean"], atol=5e-6)
    eps = theirs["model_out"][:, :2]
    guess = gaussian.clean_of(theirs["x_t"], eps, theirs.gamma_t)
    expected = theirs.arrays["eps_small/pred_x0"]
    np.testing.assert_allclose(guess, expected, rtol=2e-5, atol=2e-5)


def flat(theirs, gamma, guess=None):
    """A process whose classes are the pictures, with γ at their t, or one for all."""
    table = jnp.append(theirs.table, -jnp.inf)
    return gaussian.Process(theirs.x_0.reshape(6, -1), lambda t: table[gamma(t)], guess)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "sampler",
    [gaussian.samplers.Ancestral(), gaussian.samplers.DDIM(), gaussian.samplers.DDIM(eta=0.5)],
    ids=["ancestral", "ddim0", "ddim.5"],
)
def test_sampling_steps(theirs, sampler, request, monkeypatch):
    if theirs.number > 100:
        pytest.skip("theirs has it for 100 steps")
    guess = guessed(theirs, "eps")[0].clip(-1, 1)
    process = flat(theirs, lambda t: t, lambda z, t: gaussian.Guess(guess))
    monkeypatch.setattr(jax.random, "normal", lambda *_: theirs["step/noise"])
    result = sampler.step(process, None, theirs["x_t"], theirs["t"] - 1, theirs["t"])
    name = request.node.callspec.id.split("-")[-1]
    near(result, theirs[f"step/{name}"], rtol=1e-8)


def test_the_whole_bound(theirs):
    """All T steps of a network that says ε = σ_t x_t; theirs counts t down."""
    if theirs.number > 100:
        pytest.skip("theirs has it for 100 steps")
    t, noise = np.arange(theirs.number), theirs["loop/noise"]
    s, gamma = (theirs.at(i)[..., None] for i in (t - 1, t))
    x_0 = theirs.x_0[:2]
    x_t = gaussian.diffused(x_0, noise, gamma)
    guess = gaussian.clean_of(x_t, gaussian.noise(gamma) * x_t, gamma).clip(-1, 1)
    terms = mean_bits(gaussian.step_kl(x_0 - guess, 0.0, s, gamma))
    small, _ = theirs.log_variances(t)
    mean = gaussian.posterior_mean(guess, x_t, s, gamma)
    decoder = mean_bits(-in_bins(x_0 + 0 * mean, mean, small[..., None] / 2))
    result = jnp.where(t[:, None] == 0, decoder, terms)
    near(result[::-1].T, theirs["loop/vb"], rtol=1e-7)
    near(result.sum(axis=0) + theirs["loop/prior_bpd"], theirs["loop/total_bpd"], rtol=1e-7)
    near(jnp.square(x_0 - guess).mean((2, 3, 4))[::-1].T, theirs["loop/xstart_mse"])
    error = noise - gaussian.noise_of(x_t, guess, gamma)
    near(jnp.square(error).mean((2, 3, 4))[::-1].T, theirs["loop/mse"], rtol=1e-7)
    near(theirs["loop/prior_bpd"], theirs["prior_bits"][:2])


@pytest.mark.parametrize("name", ["10", "ddim10", "5_3"])
def test_coarser_grids_are_theirs_respaced(name):
    """Their "10" is our even grid of 9 steps between 10 of 100 levels; others are given times."""
    with jax.enable_x64(True):
        steps, betas = (OPENAI[f"respace/{name}_{what}"] for what in ("steps", "betas"))
        gammas = jnp.asarray(noise_schedules.cosine_betas(100).gammas)[steps]
        before = jnp.append(-jnp.inf, gammas[:-1])
        near(jnp.exp(gaussian.log_variances(before, gammas)[1]), betas)
        if name == "10":
            walked = noise_schedules.cosine_betas(100)(time_grids.grid(9)[::-1])
            near(walked, gammas)


class Vdm:
    """One group of arrays of VDM, and our process on its classes, with its network's output."""

    def __init__(self, group):
        arrays = golden_files.load("baselines/vdm")
        self.arrays = {k[2:]: v for k, v in arrays.items() if k.startswith(f"{group}_")}
        self.steps = int(self["T"]) or None
        self.gamma = noise_schedules.Linear(*(float(end) for end in self["gamma"]))
        self.x = jnp.asarray(self["x"])

    def __getitem__(self, name):
        return self.arrays[name]

    def process(self, eps_hat):
        def guess(z, t, rng=None):
            gamma = categorical.expand(self.gamma(t), z.ndim)
            return gaussian.Guess(gaussian.clean_of(z, eps_hat[..., None], gamma))

        points = jnp.asarray(gaussian.on_a_line(int(self["K"])))
        return gaussian.Process(points, self.gamma, guess)


@pytest.fixture(params=quick(["c", "d", "e"], "c", "d"))
def vdm(request):
    with jax.enable_x64(True):
        yield Vdm(request.param)


def test_the_bound_of_vdm(vdm, monkeypatch):
    """Reconstruction, prior and one term of T, or of continuous time, by their draws."""
    process = vdm.process(vdm["eps_hat"])
    near(process.point(vdm.x)[..., 0], vdm["f"])
    for t, name in ((0.0, "var_0"), (1.0, "var_1")):
        near(gaussian.noise(vdm.gamma(jnp.array([t]))) ** 2, vdm[name])
    near(gaussian.bounds.prior_kl(process, vdm.x), vdm["loss_klz"])
    monkeypatch.setattr(jax.random, "normal", lambda *_: vdm["eps"][..., None])
    if vdm.steps is not None:
        t = jnp.asarray(vdm["t"])
        result = vdm.steps * gaussian.bounds.term(
            process, jax.random.key(0), vdm.x, t - 1 / vdm.steps, t
        )
        near(result, vdm["loss_diff"])
    drawn = iter([vdm["eps_0"][..., None], vdm["eps"][..., None]])
    monkeypatch.setattr(jax.random, "normal", lambda *_: next(drawn))
    monkeypatch.setattr(jax.random, "uniform", lambda *_: vdm["u"])
    result = gaussian.bounds.elbo(process, jax.random.key(0), vdm.x, vdm.steps)
    near(-result, sum(vdm[f"loss_{part}"] for part in ("recon", "klz", "diff")), rtol=1e-9)


def test_steps_between_float32_times_are_uneven_and_meet():
    """By up to 1000 / 2^24 each, against float64; of all together 2e-7 is left."""
    gamma, steps = noise_schedules.Linear(-13.3, 5.0), 1000

    def gaps(times):
        s, t = times
        return np.asarray(0.5 * jnp.expm1(gamma(t) - gamma(s)))

    single = gaps(bounds.ends(jnp.arange(1, steps + 1), steps))
    with jax.enable_x64(True):
        times = bounds.ends(jnp.arange(1, steps + 1, dtype=jnp.int32), steps)
        assert times[0].dtype == jnp.float64
        double = gaps(times)
    assert 2e-5 < abs(single / double - 1).max() < 1e-4
    assert abs(single.sum() / double.sum() - 1) < 5e-7


def test_reconstruction_of_vdm(vdm, monkeypatch):
    process = vdm.process(vdm["eps_hat"])
    monkeypatch.setattr(jax.random, "normal", lambda *_: vdm["eps_0"][..., None])
    result = gaussian.bounds.reconstruction(process, jax.random.key(0), vdm.x)
    near(-result, vdm["loss_recon"], atol=1e-12)
    if "decoder_logits" in vdm.arrays:
        f, gamma = process.point(vdm.x), vdm.gamma(jnp.zeros(()))
        z_0 = gaussian.diffused(f, vdm["eps_0"][..., None], gamma)
        near(gaussian.decoded(process, z_0), vdm["decoder_logits"])


def test_where_vdm_looks_and_what_it_draws(vdm, monkeypatch):
    """z_t at its times, and an ancestral step."""
    rows = len(vdm.x)
    u = (vdm["u"] + np.arange(rows) / rows) % 1
    t = u if vdm.steps is None else np.ceil(u * vdm.steps) / vdm.steps
    near(t, vdm["t"])
    gamma = categorical.expand(vdm.gamma(jnp.asarray(t)), vdm.x.ndim)
    near(gaussian.diffused(vdm["f"], vdm["eps"], gamma), vdm["z_t"])
    process = vdm.process(vdm["step_eps_hat"])
    i, steps = int(vdm["step_i"]), int(vdm["step_T"])
    s, t = (jnp.full(rows, (steps - i - k) / steps) for k in (1, 0))
    monkeypatch.setattr(jax.random, "normal", lambda *_: vdm["step_eps"][..., None])
    step = gaussian.samplers.Ancestral().step
    result = step(process, None, jnp.asarray(vdm["step_z_t"])[..., None], s, t)
    near(result[..., 0], vdm["step_z_s"])
