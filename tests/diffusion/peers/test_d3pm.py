"""D3PM: any matrix for each step (Austin et al., 2021). Its steps count from 0, ours from 1.

Departure 11: it adds 1e-6 inside every logarithm of a posterior. The factors of ours, with that
added, are compared closely; our posteriors and terms, without it, to what it moves theirs.
Departure 13: losses are bits, the mean over tokens. `Tabulated` keeps its products in float32.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.diffusion.kernels import tables
from amd_jax.diffusion.process import Process
from amd_jax.learning import objectives
from amd_jax.ops import categorical
from tests.diffusion.peers import golden
from tests.variants import quick

pytestmark = pytest.mark.slow

CLOSE = {"rtol": 1e-6, "atol": 1e-6, "single": (1e-4, 1e-4)}
TABLES = ["uniform", "uniform_band", "gaussian", "absorbing"]
MIXTURES = ["uniform", "absorbing"]


def in_bits(terms):
    return terms.mean(axis=1) / np.log(2)


def betas(d3pm, name):
    return d3pm.exact("betas_" + {"uniform": "cosine", "absorbing": "jsd"}.get(name, "linear"))


def noise(d3pm, name):
    if name == "absorbing":  # departure 13: in the middle of the data, not one state more
        return np.eye(d3pm.num_classes)[d3pm.num_classes // 2]
    return np.full(d3pm.num_classes, 1 / d3pm.num_classes)


def matrices(d3pm, name):
    """Our steps for a kernel of theirs: (T, K, K)."""
    beta, states = betas(d3pm, name), d3pm.num_classes
    if name == "uniform_band":
        return tables.banded(beta, states, 2)
    if name == "gaussian":
        # Departure 12: its exponent is -(2 * 255 d / (K - 1)²)² / β: for K = 256 the paper's,
        # -4 d² / ((K - 1)² β); for others it is as if β were smaller.
        return tables.discretised_gaussian(beta * ((states - 1) / 255) ** 2, states)
    beta = beta[:, None, None]
    return (1 - beta) * np.eye(states) + beta * noise(d3pm, name)


def tabulated(steps):
    """A kernel whose first T steps are these, and the number of its steps, T + 1.

    The last is pure noise: without it bands and departure 12's Gaussians end far from any prior,
    which `Tabulated` refuses.
    """
    last = np.full_like(steps[:1], 1 / steps.shape[-1])
    return kernels.Tabulated(np.concatenate([steps, last])), len(steps) + 1


def mixing(d3pm, name):
    """The same by a schedule, of which the last α, 0 in theirs for masks, must not be 0."""
    log_alpha = np.cumsum(np.log(np.maximum(1 - betas(d3pm, name), 1e-13)))
    schedule = schedules.tabulated(np.concatenate([[0.0], log_alpha]))
    prior = jnp.asarray(noise(d3pm, name), d3pm.dtype)
    return kernels.Mixing(schedule, prior, d3pm.num_classes), len(log_alpha)


class Situation:
    """A kernel of theirs, and where it is looked at."""

    def __init__(self, d3pm, name, form):
        self.peer, self.name = d3pm, name
        if form == "table":
            self.kernel, self.steps = tabulated(matrices(d3pm, name))
        else:
            self.kernel, self.steps = mixing(d3pm, name)
        self.s, self.t = self.time(d3pm.exact("t")), self.time(d3pm.exact("t") + 1)
        self.x_0, self.x_t = d3pm["x0"], d3pm[f"{name}_xt"]
        self.p_0 = {
            "post_logits": d3pm.clean(d3pm.num_classes),
            "p_logits": jax.nn.softmax(d3pm["logits"]),
        }

    def time(self, i):
        return jnp.asarray(i / self.steps, self.peer.dtype)

    def exact(self, name):
        return self.peer.exact(f"{self.name}_{name}")

    def blurred(self, name):
        """Their logits of a posterior: log q(x_t | x_s) + log q(x_s | x_0), both with 1e-6."""
        p_s = self.kernel.push(self.p_0[name], jnp.zeros_like(self.s), self.s)
        likelihood = self.kernel.likelihood(self.x_t, self.s, self.t)
        return jnp.log(likelihood + 1e-6) + jnp.log(p_s + 1e-6)

    def later(self, result, expected, **near):
        """All but the first step, of which theirs is another: departure 11."""
        assert self.peer.exact("t")[0] == 0
        self.peer.assert_near(result[1:], expected[1:], **near)


@pytest.fixture(params=golden.CASES)
def d3pm(request):
    with golden.opened("d3pm", request.param) as peer:
        yield peer


@pytest.fixture(
    params=[(name, "table") for name in TABLES] + [(name, "mixing") for name in MIXTURES],
    ids="-".join,
)
def situation(d3pm, request):
    return Situation(d3pm, *request.param)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", TABLES)
def test_matrices(d3pm, name):
    result = matrices(d3pm, name)[d3pm.exact("Q_steps")]
    np.testing.assert_allclose(result, d3pm.exact(f"{name}_Q"), rtol=1e-12, atol=1e-15)


@pytest.mark.few(2)
def test_forward(situation):
    states, steps = situation.peer.num_classes, situation.peer.exact("Q_steps")
    eye = jnp.broadcast_to(jnp.eye(states), (len(situation.t), states, states))
    result = situation.kernel.push(eye, situation.peer.start, situation.t)
    situation.peer.assert_near(result, situation.exact("Qbar"), rtol=1e-6, atol=1e-12)
    s, t = situation.time(steps), situation.time(steps + 1)
    result = situation.kernel.push(eye[: len(steps)], s, t)
    situation.peer.assert_near(result, situation.exact("Q"), rtol=1e-6, atol=1e-12)


@pytest.mark.few(3)
def test_posteriors_and_terms_of_the_bound(situation):
    """Closely with 1e-6 more, and as they are to what that moves; the first has its own form."""
    blurred = {name: situation.blurred(name) for name in situation.p_0}
    for name, logits in blurred.items():
        situation.later(logits, situation.exact(name), **CLOSE)
    bits, x_0, x_t = situation.exact("vb_bpd"), situation.x_0, situation.x_t
    result = in_bits(categorical.kl(*map(jax.nn.softmax, blurred.values())))
    situation.later(result, bits, rtol=1e-4, single=(1e-4, 1e-5))

    p_0, s, t = situation.p_0["p_logits"], situation.s, situation.t
    terms = bounds.discrete(situation.kernel, x_0, p_0, x_t, s, t)
    if situation.name != "gaussian":  # departure 12: so little noise that 1e-6 may be most of it
        rtol = 1e-3 if situation.peer.num_classes == 5 else 1e-2
        situation.later(in_bits(terms), bits, rtol=rtol, single=(rtol, 1e-6))
    # Departure 11: p(x_0 | x_1) is the guess itself there; ours has q(x_1 | x_0) as a factor.
    likelihood = situation.kernel.likelihood(x_t[:1], s[:1], t[:1])
    factor = categorical.gather(likelihood, x_0[:1]) / (p_0[:1] * likelihood).sum(axis=-1)
    situation.peer.assert_near(in_bits(terms[:1] + jnp.log(factor)), bits[:1], rtol=1e-6)


@pytest.mark.few(2)
@pytest.mark.parametrize("form", ["table", "mixing"])
def test_hybrid_loss(d3pm, form):
    """Its cross-entropy is of the guess that it plugs in, ours of what is denoised.

    They are one for the guess whose denoised law is theirs; and its λ is beside one term L_i.
    """
    situation = Situation(d3pm, "uniform", form)
    kernel, s, t = situation.kernel, situation.s, situation.t
    likelihood = kernel.likelihood(situation.x_t, d3pm.start, t)
    plugged = categorical.normalize(situation.p_0["p_logits"] / likelihood)
    process = Process(kernel, lambda x_t, t, rng=None: plugged)
    x, x_t = situation.x_0, situation.x_t
    _, clean = objectives.hybrid_terms(process, None, x, x_t, s, t, situation.steps)
    clean = clean / x.shape[1] / np.log(2)
    d3pm.assert_near(clean, "ce_bpd", rtol=1e-6)
    total = situation.exact("vb_bpd") + d3pm.exact("hybrid_coeff") * clean
    d3pm.assert_near(total.astype(d3pm.dtype), situation.exact("hybrid_bpd"), rtol=1e-6)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["uniform_band", "gaussian"])  # of the others nothing is left
def test_prior_term_is_the_divergence_from_noise(d3pm, name):
    """These kernels leave uniform noise as it is, and a guess of noise is noise at all times."""
    situation = Situation(d3pm, name, "table")
    guess = jnp.full_like(situation.p_0["p_logits"], 1 / d3pm.num_classes)
    end = jnp.full_like(situation.t, situation.time(20))
    result = bounds.divergence(situation.kernel, situation.x_0, guess, end)
    expected = situation.exact("prior_bpd")
    d3pm.assert_near(in_bits(result), expected, rtol=1e-5, atol=5e-5, single=(1e-4, 5e-5))


@pytest.mark.parametrize("d3pm", golden.SMALL, indirect=True)
def test_prior_term(d3pm):
    """Of a band that comes near uniform noise, so it passes our check; of K = 27 it does not."""
    kernel = kernels.Tabulated(matrices(d3pm, "uniform_band"), noise(d3pm, "uniform_band"))
    result = bounds.prior_kl(kernel, d3pm["x0"]) / d3pm["x0"].shape[1] / np.log(2)
    d3pm.assert_near(result, "uniform_band_prior_bpd", rtol=1e-4, single=(1e-4, 0))


@pytest.fixture(params=quick(["f64", "f32"], "f64"))
def pictures(request):
    with golden.opened("d3pm", ("K256", request.param)) as peer:
        yield peer


@pytest.mark.exhaustive
@pytest.mark.few(1)
def test_gaussian_of_256_classes(pictures):
    """Where departure 12 is none: the paper's. Its posterior again has 1e-6 more."""
    steps, start = pictures.exact("gaussian_t"), jnp.zeros(3, pictures.dtype)
    matrices = tables.discretised_gaussian(pictures.exact("gaussian_betas"), 256)
    s, t = (jnp.asarray(i / len(matrices), pictures.dtype) for i in (steps, steps + 1))
    kernel = kernels.Tabulated(matrices, np.full(256, 1 / 256))
    rows = jnp.broadcast_to(jnp.eye(256)[pictures["gaussian_rows"]], (3, 4, 256))
    pictures.assert_near(kernel.push(rows, s, t), "gaussian_Q_rows", rtol=1e-6, atol=1e-12)
    pictures.assert_near(kernel.push(rows, start, t), "gaussian_Qbar_rows", rtol=1e-6, atol=1e-12)

    x_0, x_t = pictures["gaussian_x0"], pictures["gaussian_xt"]
    p_s = kernel.push(categorical.one_hot(x_0, 256, dtype=pictures.dtype), start, s)
    result = jnp.log(kernel.likelihood(x_t, s, t) + 1e-6) + jnp.log(p_s + 1e-6)
    pictures.assert_near(result[1:], pictures.exact("gaussian_post_logits")[1:], **CLOSE)

    p_0 = jax.nn.softmax(pictures["gaussian_logits"])
    result = in_bits(bounds.discrete(kernel, x_0, p_0, x_t, s, t))[1:]
    expected = pictures.exact("gaussian_vb_bpd")[1:]
    pictures.assert_near(result, expected, rtol=3e-2, single=(3e-2, 0))
    result = bounds.prior_kl(kernel, x_0) / x_0.shape[1] / np.log(2)
    pictures.assert_near(result, "gaussian_prior_bpd", rtol=1e-3, single=(1e-4, 0))
