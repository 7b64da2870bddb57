"""Posteriors of any forward process on K states, by Bayes' rule."""

import dataclasses
import functools
from typing import overload

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.diffusion.kernels.augmented import AugmentedUniform
from amd_jax.diffusion.kernels.mixtures import (
    Mixing,
    Mixture,
)
from amd_jax.ops import categorical
from amd_jax.types import (
    Array,
    Flags,
    Kernel,
    Key,
    LearnedKernel,
    Logits,
    Params,
    PerToken,
    Probs,
    Schedule,
    Times,
    Tokens,
)


def init(kernel: Kernel | LearnedKernel | Schedule, rng: Key) -> Params:
    """Parameters of a kernel that learns; {} of one that does not."""
    return kernel.init(rng) if isinstance(kernel, LearnedKernel) else {}


@overload
def opened(kernel: Kernel | LearnedKernel, params: Params) -> Kernel: ...
@overload
def opened(kernel: Schedule, params: Params) -> Schedule: ...
def opened(kernel: Kernel | LearnedKernel | Schedule, params: Params) -> Kernel | Schedule:
    """The kernel with its parameters in place; one that has none is itself."""
    return kernel.open(params) if isinstance(kernel, LearnedKernel) else kernel


def posterior(kernel: Kernel, p_0: Probs, x_t: Tokens, s: Times, t: Times) -> Probs:
    """q(x_s | x_t, x_0 ~ p_0) by Bayes' rule, for any kernel and s < t.

    With p_0 one-hot it is the true posterior; with a network's p_0 it is the model's reverse step
    (Hoogeboom et al., 2021, eq. 13). Where p_0 rules out all that could have become x_t, as only
    rounding can, x_t alone decides.
    """
    if isinstance(p_0, Denoised):
        raise TypeError(
            "The reverse step brings the own token's evidence in, so it takes the guess from the "
            "other tokens; got Denoised, which has it already. Use kernels.leave_own_out first."
        )
    likelihood = kernel.likelihood(x_t, s, t)
    joint = likelihood * kernel.push(p_0, jnp.zeros_like(s), s)
    possible = (joint > 0).any(axis=-1, keepdims=True)
    return categorical.normalize(jnp.where(possible, joint, likelihood))


@functools.singledispatch
def log_push(kernel: Kernel, log_p: Logits, s: Times, t: Times) -> Logits:
    """Log of the law of x_t when x_s ~ exp(log_p).

    The likeliest state and all others are pushed on their own, so that a sure guess does not hide
    what it leaves to the others. States that float32 cannot reach at all keep their log_p, as they
    do at t = s.
    """
    sure = categorical.one_hot(log_p.argmax(axis=-1), log_p.shape[-1], dtype=bool)
    others = jnp.where(sure, categorical.NEVER, log_p)
    peak = jax.lax.stop_gradient(others.max(axis=-1, keepdims=True))
    sure_log_p = jnp.where(sure, log_p, 0.0).sum(axis=-1, keepdims=True)
    parts = [
        sure_log_p + categorical.log_or_never(kernel.push(sure.astype(log_p.dtype), s, t)),
        peak + categorical.log_or_never(kernel.push(jnp.exp(others - peak), s, t)),
    ]
    pushed = jnp.logaddexp(*parts)
    return jnp.where(pushed > categorical.NEVER / 2, pushed, log_p)


@log_push.register
def _(kernel: Mixture, log_p: Logits, s: Times, t: Times) -> Logits:
    """Exact for log_p of any size."""
    noise = categorical.log_or_never(kernel.noise(s, t, log_p.ndim))
    return jnp.logaddexp(kernel.log_keep(s, t, log_p.ndim) + log_p, noise)


@log_push.register
def _(kernel: AugmentedUniform, log_p: Logits, s: Times, t: Times) -> Logits:
    """Exact for log_p of any size: data come from the same data alone."""
    noise = categorical.log(kernel.push(jnp.exp(log_p), s, t)[..., kernel.num_classes :])
    data = kernel.log_keep(s, t, log_p.ndim) + log_p[..., : kernel.num_classes]
    return jnp.concatenate([data, noise], axis=-1)


def log_joint(kernel: Kernel, log_p_0: Logits, x_t: Tokens, s: Times, t: Times) -> Logits:
    """Log q(x_t | x_s = k) q(x_s = k | x_0 ~ exp(log_p_0)) for every k."""
    likelihood = categorical.log_or_never(kernel.likelihood(x_t, s, t))
    return likelihood + log_push(kernel, log_p_0, jnp.zeros_like(s), s)


def log_posterior(kernel: Kernel, log_p_0: Logits, x_t: Tokens, s: Times, t: Times) -> Logits:
    """Log of `posterior` of exp(log_p_0), exact where float32 holds no such p."""
    return jax.nn.log_softmax(log_joint(kernel, log_p_0, x_t, s, t))


@functools.singledispatch
def log_denoised_of(kernel: Kernel, log_p_0: Logits, x: Tokens, x_t: Tokens, t: Times) -> PerToken:
    """Log p(x_0 = x | x_t) of each token, where x_0 ~ exp(log_p_0) without its own evidence."""
    return categorical.gather(log_posterior(kernel, log_p_0, x_t, jnp.zeros_like(t), t), x)


@log_denoised_of.register
def _(kernel: Mixture, log_p_0: Logits, x: Tokens, x_t: Tokens, t: Times) -> PerToken:
    """The same from two of the K states: Σ_k p(k) q(x_t | k) is keep p(x_t) + noise."""
    start = jnp.zeros_like(t)
    log_keep = kernel.log_keep(start, t, x.ndim)
    log_noise = categorical.log_or_never(kernel.into(x_t, start, t))
    log_kept = jnp.where(x == x_t, log_keep, categorical.NEVER)
    likelihood = jnp.logaddexp(log_kept, log_noise)
    evidence = jnp.logaddexp(log_keep + categorical.gather(log_p_0, x_t), log_noise)
    return categorical.gather(log_p_0, x) + likelihood - evidence


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Denoised:
    """p(x_0[n] | x_t), the own token's evidence included: no array, so that it is no guess.

    A guess is p(x_0[n] | x_t without n), an array. The two differ by q(x_t[n] | x_0 = ·), and one
    in the place of the other never converges. docs/how_it_works/leave_one_out.md has the figure.
    """

    law: Probs


def denoising_posterior(kernel: Kernel, p_0: Probs, x_t: Tokens, t: Times) -> Denoised:
    """p(x_0 | x_t) with the own token's evidence, normalise(p_0 ⊙ q(x_t | x_0 = ·)).

    p_0 is the guess from the other tokens: what the x_0-parametrisation learns.
    """
    return Denoised(posterior(kernel, p_0, x_t, jnp.zeros_like(t), t))


def leave_own_out(kernel: Kernel, clean: Denoised, x_t: Tokens, t: Times) -> Probs:
    """The guess from the other tokens, normalise(clean / q(x_t | x_0 = ·)).

    The inverse of `denoising_posterior` where every class can become x_t; others get 0, as at a
    token that is not masked, where nothing tells of them.
    """
    return jnp.exp(log_leave_own_out(kernel, categorical.log(clean.law), x_t, t))


def log_leave_own_out(kernel: Kernel, log_clean: Logits, x_t: Tokens, t: Times) -> Logits:
    """Log of `leave_own_out` of what has the log-law `log_clean`."""
    evidence = kernel.likelihood(x_t, jnp.zeros_like(t), t)
    possible = evidence > categorical.FLOOR
    log_ratio = log_clean - jnp.log(jnp.where(possible, evidence, 1.0))
    return categorical.log_softmax(log_ratio, possible)


def plain(kernel: Kernel | LearnedKernel) -> Kernel | LearnedKernel:
    """The kernel whose schedule is learnt, or the kernel itself: what can be said before that."""
    return getattr(kernel, "kernel", kernel)


def paced(kernel: Kernel, u: Times) -> tuple[Times, Times]:
    """Times t for u uniform in [0, 1), and dt/du. Time itself, unless a kernel says.

    One whose rate has a pole at an end of time has a `pace`: plainly drawn times would give an
    estimate of the bound without a variance.
    """
    if not hasattr(kernel, "pace"):
        return u, jnp.ones_like(u)
    return jax.jvp(kernel.pace, (u,), (jnp.ones_like(u),))


def is_masking(kernel: Kernel | LearnedKernel) -> bool:
    """Whether noise is one further state, the mask, that tokens go to and stay in."""
    return isinstance(kernel, Mixing) and kernel.prior.shape[-1] == kernel.num_classes + 1


def is_clean(kernel: Kernel, x_t: Tokens) -> Flags:
    """Which tokens are certain to be data: of a masking kernel those that are no mask."""
    return x_t < kernel.num_classes if is_masking(kernel) else jnp.zeros(x_t.shape, bool)


def shows_noise(kernel: Kernel | LearnedKernel) -> bool:
    """Whether every token tells if it can be noise, so that what is known may be held clean."""
    return is_masking(kernel) or getattr(kernel, "shows_noise", False)


def rates(kernel: Kernel, x_t: Tokens, t: Times) -> Float[Array, "B *event K"]:
    """The rates at t from every state into x_t.

    The derivative of the likelihood; at x_t itself it is minus the rate to leave.
    """
    return jax.jvp(lambda u: kernel.likelihood(x_t, t, u), (t,), (jnp.ones_like(t),))[1]


def reverse_rates(kernel: Kernel, p_0: Probs, x_t: Tokens, t: Times) -> Float[Array, "B *event K"]:
    """The rates at t from x_t back to every other state, x_0 ~ p_0; 0 at x_t.

    R(y -> x_t) q_t(y | p_0) / q_t(x_t | p_0) (Campbell et al., 2022, prop. 1).
    """
    p_t = kernel.push(p_0, jnp.zeros_like(t), t)
    here = jnp.maximum(categorical.gather(p_t, x_t), categorical.FLOOR)
    others = ~categorical.one_hot(x_t, p_t.shape[-1], dtype=bool)
    return jnp.where(others, rates(kernel, x_t, t) * p_t / here[..., None], 0.0)


@functools.singledispatch
def corrupt(kernel: Kernel, rng: Key, x_s: Tokens, t: Times, s: Times | None = None) -> Tokens:
    """A draw of x_t ~ q(x_t | x_s), s <= t; of data, s = 0, unless s is given."""
    s = jnp.zeros_like(t) if s is None else s
    start = categorical.one_hot(x_s, kernel.prior.shape[-1])
    return categorical.sample(rng, kernel.push(start, s, t))


@functools.singledispatch
def step_back(kernel: Kernel, rng: Key, p_0: Probs, x_t: Tokens, s: Times, t: Times) -> Tokens:
    """A draw of x_s ~ posterior(kernel, p_0, x_t, s, t)."""
    return categorical.sample(rng, posterior(kernel, p_0, x_t, s, t))


@corrupt.register
def _(kernel: Mixing, rng: Key, x_s: Tokens, t: Times, s: Times | None = None) -> Tokens:
    """Keep or redraw: no (B, ..., K) array is needed."""
    rng_keep, rng_noise = jax.random.split(rng)
    keep = kernel.keep(jnp.zeros_like(t) if s is None else s, t, x_s.ndim)
    noise = draw_prior(kernel, rng_noise, x_s.shape)
    return jnp.where(jax.random.uniform(rng_keep, x_s.shape) < keep, x_s, noise)


@step_back.register
def _(kernel: Mixture, rng: Key, p_0: Probs, x_t: Tokens, s: Times, t: Times) -> Tokens:
    """Draw in two parts: x_t was kept since s, or x_s ~ q(x_s | p_0) was redrawn into it.

    The second part may be as rare as 1 - α = 1e-5 over K = 256 states; one draw over all states
    at float32's resolution would distort it.
    """
    rng_keep, rng_redraw = jax.random.split(rng)
    p_s = kernel.push(p_0, jnp.zeros_like(s), s)
    kept = kernel.keep(s, t, x_t.ndim) * categorical.gather(p_s, x_t)
    redrawn = kernel.into(x_t, s, t)
    u = jax.random.uniform(rng_keep, x_t.shape)
    return jnp.where(u * (kept + redrawn) < redrawn, categorical.sample(rng_redraw, p_s), x_t)


def draw_prior(kernel: Kernel, rng: Key, shape: tuple[int, ...]) -> Integer[Array, "..."]:
    """Independent draws from the kernel's prior, of the given shape."""
    cdf = jnp.cumsum(kernel.prior, axis=-1)
    u = jax.random.uniform(rng, shape) * cdf[..., -1]
    return categorical.shared(cdf <= u[..., None]).sum(axis=-1, dtype=jnp.int32)
