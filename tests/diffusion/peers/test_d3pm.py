"""D3PM: any matrix for each step (Austin et al., 2021). Its steps count from 0, ours from 1.

Departure 11: it adds 1e-6 inside every logarithm of a posterior. The factors of ours, with that
added, are compared closely; our posteriors and terms, without it, to what it moves theirs.
Departure 13: losses are bits, the mean over tokens. `Tabulated` keeps its products in float32.

Of its text models, whose columns are from-states (app. A), bands are left out: their columns are
scaled to 1 after the fact, which is another kernel than `tables.banded` (departure 14). So are its
Sinkhorn steps, whose rows do not sum to 1 (15).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.diffusion.kernels import rate_matrices, tables
from amd_jax.diffusion.process import Process
from amd_jax.learning import objectives
from amd_jax.ops import categorical
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow

peer = pytest.fixture(golden.opened, params=golden.STATES)
TABLES = ["uniform", "uniform_band", "gaussian", "absorbing"]
SITUATIONS = [(name, "table") for name in TABLES]
SITUATIONS += [(name, "mixing") for name in ("uniform", "absorbing")]
OF_TEXT = pytest.mark.parametrize("peer", ["K6"], indirect=True)
OF_PICTURES = pytest.mark.parametrize("peer", ["K256"], indirect=True)


def in_bits(terms):
    return terms.mean(axis=1) / np.log(2)


def betas(peer, name):
    return peer["betas_" + {"uniform": "cosine", "absorbing": "jsd"}.get(name, "linear")]


def noise(peer, name):
    if name == "absorbing":  # departure 13: in the middle of the data, not one state more
        return np.eye(peer.num_classes)[peer.num_classes // 2]
    return np.full(peer.num_classes, 1 / peer.num_classes)


def matrices(peer, name):
    """Our steps for a kernel of theirs: (T, K, K)."""
    beta, states = betas(peer, name), peer.num_classes
    if name == "uniform_band":
        return tables.banded(beta, states, 2)
    if name == "gaussian":
        # Departure 12: its exponent is -(2 * 255 d / (K - 1)²)² / β: for K = 256 the paper's,
        # -4 d² / ((K - 1)² β); for others it is as if β were smaller.
        return tables.discretised_gaussian(beta * ((states - 1) / 255) ** 2, states)
    beta = beta[:, None, None]
    return (1 - beta) * np.eye(states) + beta * noise(peer, name)


class Situation:
    """A kernel of theirs, and where it is looked at."""

    def __init__(self, peer, name, form):
        self.peer, self.name = peer, name
        if form == "table":
            # A last step of pure noise: without it bands and departure 12's Gaussians end far
            # from any prior, which `Tabulated` refuses.
            steps = matrices(peer, name)
            last = np.full_like(steps[:1], 1 / steps.shape[-1])
            self.kernel = kernels.Tabulated(np.concatenate([steps, last]))
            self.steps = len(steps) + 1
        else:  # by a schedule, of which the last α, 0 in theirs for masks, must not be 0
            log_alpha = np.cumsum(np.log(np.maximum(1 - betas(peer, name), 1e-13)))
            schedule, self.steps = schedules.tabulated(np.append(0.0, log_alpha)), len(log_alpha)
            self.kernel = kernels.Mixing(schedule, noise(peer, name), peer.num_classes)
        self.s, self.t = peer.t / self.steps, (peer.t + 1) / self.steps
        self.x_0, self.x_t = peer["x0"], peer[f"{name}_xt"]
        self.p_0 = jax.nn.softmax(peer["logits"])

    def near(self, result, name, where=slice(None), **near):
        self.peer.near(result[where], self.peer[f"{self.name}_{name}"][where], **near)


def blurred(kernel, p_0, x_t, s, t):
    """Their logits of a posterior: log q(x_t | x_s) + log q(x_s | x_0), both with 1e-6."""
    p_s = kernel.push(p_0, jnp.zeros_like(s), s)
    return jnp.log(kernel.likelihood(x_t, s, t) + 1e-6) + jnp.log(p_s + 1e-6)


FIRST, LATER = slice(1), slice(1, None)  # departure 11: theirs is another at the first step
CLOSE = {"rtol": 1e-6, "atol": 1e-6}
MATRIX = {"rtol": 1e-6, "atol": 1e-12}


@pytest.mark.few(3)
@pytest.mark.parametrize(("name", "form"), SITUATIONS)
def test_d3pm(peer, name, form):
    """Posteriors and terms closely with 1e-6 more, and as they are to what that moves."""
    here, i, k = Situation(peer, name, form), peer["Q_steps"], peer.num_classes
    kernel, x_0, p_0, x_t, s, t = (here.kernel, here.x_0, here.p_0, here.x_t, here.s, here.t)
    golden.near(matrices(peer, name)[i], peer[f"{name}_Q"], 1e-12, 1e-15)
    here.near(kernel.push(peer.eye(), peer.start, t), "Qbar", **MATRIX)
    steps = kernel.push(peer.eye(len(i)), i / here.steps, (i + 1) / here.steps)
    here.near(steps, "Q", **MATRIX)

    assert peer.t[0] == 0
    guesses = {"post_logits": categorical.one_hot(x_0, k, dtype=float), "p_logits": p_0}
    logits = {what: blurred(kernel, guess, x_t, s, t) for what, guess in guesses.items()}
    for what, result in logits.items():
        here.near(result, what, LATER, **CLOSE)
    result = in_bits(categorical.kl(*map(jax.nn.softmax, logits.values())))
    here.near(result, "vb_bpd", LATER, rtol=1e-4)
    terms = bounds.discrete(kernel, x_0, p_0, x_t, s, t)
    if name != "gaussian":  # departure 12: so little noise that 1e-6 may be most of it
        here.near(in_bits(terms), "vb_bpd", LATER, rtol=1e-3 if k == 5 else 1e-2)
    # Departure 11: p(x_0 | x_1) is the guess itself there; ours has q(x_1 | x_0) as a factor.
    likelihood = kernel.likelihood(x_t[:1], s[:1], t[:1])
    factor = categorical.gather(likelihood, x_0[:1]) / (p_0[:1] * likelihood).sum(axis=-1)
    here.near(in_bits(terms[:1] + jnp.log(factor)), "vb_bpd", FIRST, rtol=1e-6)


@pytest.mark.few(2)
@pytest.mark.parametrize("form", ["table", "mixing"])
def test_d3pm_hybrid_loss(peer, form):
    """Its cross-entropy is of the guess that it plugs in, ours of what is denoised.

    They are one for the guess whose denoised law is theirs; and its λ is beside one term L_i.
    """
    here = Situation(peer, "uniform", form)
    likelihood = here.kernel.likelihood(here.x_t, peer.start, here.t)
    plugged = categorical.normalize(here.p_0 / likelihood)
    process = Process(here.kernel, lambda x_t, t, rng=None: plugged)
    given = here.x_0, here.x_t, here.s, here.t, here.steps
    _, clean = objectives.hybrid_terms(process, None, *given)
    clean = clean / here.x_0.shape[1] / np.log(2)
    peer.near(clean, "ce_bpd", rtol=1e-6)
    here.near(peer["uniform_vb_bpd"] + peer["hybrid_coeff"] * clean, "hybrid_bpd", rtol=1e-6)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["uniform_band", "gaussian"])  # of the others nothing is left
def test_d3pm_prior_term(peer, name):
    """These kernels leave uniform noise as it is, and a guess of noise is noise at all times.

    A band of K = 5 comes near uniform noise, so it passes our check; of K = 27 it does not.
    """
    here = Situation(peer, name, "table")
    end = jnp.full(len(here.t), 20 / here.steps)
    guess = jnp.full_like(here.p_0, 1 / peer.num_classes)
    result = bounds.divergence(here.kernel, here.x_0, guess, end)
    here.near(in_bits(result), "prior_bpd", rtol=1e-5, atol=5e-5)
    if name == "uniform_band" and peer.states == "K5":
        kernel = kernels.Tabulated(matrices(peer, name), noise(peer, name))
        result = bounds.prior_kl(kernel, here.x_0) / here.x_0.shape[1] / np.log(2)
        here.near(result, "prior_bpd", rtol=1e-4)


@OF_PICTURES
@pytest.mark.exhaustive
def test_d3pm_gaussian_of_256_classes(peer):
    """Where departure 12 is none: the paper's. Its posterior again has 1e-6 more."""
    theirs = {k: peer[f"gaussian_{k}"] for k in ("t", "betas", "rows", "x0", "xt", "vb_bpd")}
    steps, x_0, x_t = theirs["t"], theirs["x0"], theirs["xt"]
    matrices, start = tables.discretised_gaussian(theirs["betas"], 256), np.zeros(3)
    s, t = (i / len(matrices) for i in (steps, steps + 1))
    kernel = kernels.Tabulated(matrices, np.full(256, 1 / 256))
    rows = np.broadcast_to(np.eye(256)[theirs["rows"]], (3, 4, 256))
    peer.near(kernel.push(rows, s, t), "gaussian_Q_rows", **MATRIX)
    peer.near(kernel.push(rows, start, t), "gaussian_Qbar_rows", **MATRIX)
    result = blurred(kernel, categorical.one_hot(x_0, 256, dtype=float), x_t, s, t)
    peer.near(result[1:], peer["gaussian_post_logits"][1:], **CLOSE)
    p_0 = jax.nn.softmax(peer["gaussian_logits"])
    result = in_bits(bounds.discrete(kernel, x_0, p_0, x_t, s, t))
    peer.near(result[1:], theirs["vb_bpd"][1:], rtol=3e-2)
    result = bounds.prior_kl(kernel, x_0) / x_0.shape[1] / np.log(2)
    peer.near(result, "gaussian_prior_bpd", rtol=1e-3)


BETAS = 0.02 + 0.28 * np.arange(12) / 12


@OF_TEXT
def test_d3pm_gaussian_of_texts(peer):
    """Departure 12: its exponent is -(2 K d / (K - 1)²)² / β, the paper's but for K and K - 1."""
    steps = tables.discretised_gaussian(BETAS * (5 / 6) ** 2, 6)
    golden.near(steps, peer["text_gauss_transitions"].mT, 1e-12, 0)
    t = np.arange(12) / int(peer["text_T"])
    result = kernels.Tabulated(steps).push(peer.eye(12), 0 * t, t)
    peer.near(result.mT, "text_gauss_products", **MATRIX)


@OF_TEXT
def test_d3pm_masks_of_texts(peer):
    """Steps of 1 / (T - t), whose log α is that of the linear schedule, and any others.

    Departure 15: the last row is set to pure noise whatever the schedule.
    """
    t = np.arange(13) / int(peer["text_T"])
    alpha = jnp.exp(schedules.linear(t))
    peer.near(jnp.stack([1 - alpha, alpha], axis=-1), "text_beta_state", 1e-12, 1e-12)
    schedule = schedules.tabulated(np.append(0.0, np.cumsum(np.log1p(-BETAS))))
    result = kernels.absorbing(schedule, 5).push(peer.eye(13), 0 * t, t)[:, 0, jnp.array([5, 0])]
    peer.near(result[:-1], peer["text_beta_state_lin"][:-1])


@OF_TEXT
def test_d3pm_nearest_neighbours(peer):
    """Ours are scaled to a slowest mode of rate 1. Theirs are float32."""
    near = np.array([[0, 1], [5, 5], [4, 5], [0, 4], [3, 0], [2, 4]])  # as theirs are near
    result, theirs = rate_matrices.nearest_neighbours(near, 2), peer["text_nn_rate"]
    neighbours = np.argsort(((near[:, None] - near) ** 2).sum(axis=-1), axis=1)[:, 1:3]
    assert (np.sort(neighbours) == np.sort(peer["text_nn_neighbors"])).all()
    slowest = -np.linalg.eigvalsh(theirs)[-2]
    golden.near(result * slowest, theirs, 1e-5, 1e-6)
    kernel = kernels.Generator(result, lambda t: -4 * slowest * t)
    t = np.full(1, 0.5 / 4)
    for matrix in (kernel.push(peer.eye(1), 0 * t, t), kernel.matrix(0 * t, t)):
        peer.near(matrix[0], "text_nn_expm_0.5", rtol=1e-5, atol=1e-6)
