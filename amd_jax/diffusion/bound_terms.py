"""The terms of the variational bound per token, for any kernel.

Data x_0, noisy tokens x_t, the network's guess p_0 of x_0, and times s < t. Values and gradients
are finite and right for guesses as sure as a network can be: `log_p_0`, the log of p_0, tells of
chances that p_0 itself is too small for in float32. It is taken of p_0 unless given.
`mixture_terms` has faster forms for a `Mixture`.
"""

import functools

import jax
import jax.numpy as jnp

from amd_jax.diffusion import kernels
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, Logits, PerToken, Probs, Times, Tokens

TINY = 1e-15  # a chance whose square float32 still holds
LARGEST = 69.0  # log of the largest ratio of two probabilities, as `categorical.FLOOR` has it


@functools.singledispatch
def discrete(
    kernel: Kernel,
    x_0: Tokens,
    p_0: Probs,
    x_t: Tokens,
    s: Times,
    t: Times,
    log_p_0: Logits | None = None,
) -> PerToken:
    """KL(q(x_s | x_t, x_0) || q(x_s | x_t, x_0 ~ p_0)) per token.

    At s = 0 it is the decoder's -log p(x_0 | x_1), since α_0 = 1 (Hoogeboom et al., 2021, eq. 14
    and 15). By the chain rule: that of whether x_s is x_t, and that of what else it is, so that
    small steps, in which nearly all tokens stay, keep their digits.
    """
    clean = categorical.log_or_never(categorical.one_hot(x_0, p_0.shape[-1]))
    own = categorical.one_hot(x_t, p_0.shape[-1], dtype=bool)
    odds, others = [], []
    for log_p in (clean, log_of(p_0, log_p_0)):
        joint = kernels.log_joint(kernel, log_p, x_t, s, t)
        moved = jnp.where(own, categorical.NEVER, joint)
        odds.append(jax.nn.logsumexp(moved, axis=-1) - categorical.gather(joint, x_t))
        others.append(jax.nn.log_softmax(moved))
    true, guess = others
    inner = (jnp.exp(true) * (true - guess)).sum(axis=-1)
    return categorical.kl_of_log_odds(*odds) + jax.nn.sigmoid(odds[0]) * inner


@functools.singledispatch
def leave_one_out(
    kernel: Kernel, x_0: Tokens, p_0: Probs, s: Times, t: Times, log_p_0: Logits | None = None
) -> PerToken:
    """E over x_t[n] ~ q(x_t | x_0) of `discrete`, exactly, where p_0[n] does not depend on x_t[n].

    By the chain rule of the KL it is D(s) - D(t) of `divergence`, for any kernel: what is learnt
    about x_0 on the way from t to s. With a, b the true and the guessed law at s, and a', b' those
    at t, it is Σ (a - a') log(a / b) + a' (log(a / a') - log(b / b')), taken of what moves in the
    step: as a difference, small steps would lose three digits. Raises ValueError for a kernel that
    has a prior of each token, unless it is a `Mixture`.
    """
    if kernel.prior.ndim > 1:
        raise ValueError(
            "The bound of a denoiser with leave_one_out takes one matrix for all tokens; the "
            f"{type(kernel).__name__} has a prior of each. Make it a kernels.Mixture."
        )
    start = jnp.zeros_like(s)
    eye = jnp.eye(p_0.shape[-1], dtype=bool)
    jumps = kernel.push(jnp.broadcast_to(eye.astype(p_0.dtype), (len(s), *eye.shape)), s, t)
    jumps = jnp.where(eye, 0.0, jumps)  # from a state to others, (B, K, K)
    leave = jumps.sum(axis=-1).reshape(len(s), *(1,) * (p_0.ndim - 2), -1)

    def step(p: Probs) -> tuple[Array, Array]:
        """What p loses between s and t, and what is left of it."""
        lost = p * leave - jnp.einsum("b...i,bij->b...j", p, jumps, precision="highest")
        return lost, categorical.positive(p - lost)

    clean = categorical.one_hot(x_0, p_0.shape[-1])
    true = kernel.push(clean, start, s)
    (lost, late), (missed, guessed) = step(true), step(kernel.push(p_0, start, s))
    log_true, log_late = categorical.log(true), categorical.log(late)
    log_guess, log_guessed = (
        kernels.log_push(kernel, log_of(p_0, log_p_0), start, time) for time in (s, t)
    )
    near = (abs(lost) < late / 2) & (abs(missed) < guessed / 2)
    near &= jnp.minimum(late, guessed) > TINY
    shares = (
        jnp.log1p(jnp.where(near, a, 0.0) / jnp.where(near, b, 1.0))
        for a, b in ((lost, late), (missed, guessed))
    )
    true_share, guess_share = shares
    small = lost * (log_true - log_guess) + late * (true_share - guess_share)
    large = true * (log_true - log_guess) - late * (log_late - log_guessed)
    return jnp.where(near, small, large).sum(axis=-1)


@functools.singledispatch
def divergence(
    kernel: Kernel, x_0: Tokens, p_0: Probs, t: Times, log_p_0: Logits | None = None
) -> PerToken:
    """D(t) = KL(q(x_t | x_0) || q(x_t | x_0 ~ p_0)) per token."""
    start = jnp.zeros_like(t)
    true = kernel.push(categorical.one_hot(x_0, p_0.shape[-1]), start, t)
    guess = kernels.log_push(kernel, log_of(p_0, log_p_0), start, t)
    return (true * (categorical.log(true) - guess)).sum(axis=-1)


@functools.singledispatch
def rate(
    kernel: Kernel, x_0: Tokens, p_0: Probs, x_t: Tokens, t: Times, log_p_0: Logits | None = None
) -> PerToken:
    """The limit of `discrete` over t - s as s approaches t, per token and unit of time.

    Σ_{y ≠ x_t} ρ̂ - ρ + ρ log(ρ / ρ̂), with ρ = R(y -> x_t) q_t(y | x_0) / q_t(x_t | x_0), ρ̂ the
    same with x_0 ~ p_0, and R the derivative of the likelihood (Campbell et al., 2022, prop. 2).
    """
    start, own = jnp.zeros_like(t), categorical.one_hot(x_t, p_0.shape[-1], dtype=bool)
    into = jnp.where(own, 0.0, categorical.positive(kernels.rates(kernel, x_t, t)))
    clean = categorical.log_or_never(categorical.one_hot(x_0, p_0.shape[-1]))

    def relative(log_p: Logits) -> Array:
        pushed = kernels.log_push(kernel, log_p, start, t)
        return jnp.where(own, 0.0, pushed - categorical.gather(pushed, x_t)[..., None])

    true, guess = relative(clean), relative(log_of(p_0, log_p_0))
    ratio = jnp.exp(jnp.minimum(guess, LARGEST)) - jnp.exp(jnp.minimum(true, LARGEST))
    rates = ratio + jnp.exp(jnp.minimum(true, LARGEST)) * (true - guess)
    return (into * rates).sum(axis=-1)


@functools.singledispatch
def leave_one_out_rate(
    kernel: Kernel, x_0: Tokens, p_0: Probs, t: Times, log_p_0: Logits | None = None
) -> PerToken:
    """E over x_t[n] ~ q(x_t | x_0) of `rate`, where p_0[n] does not depend on x_t[n].

    -d/dt of `divergence` with the guess held fixed.
    """
    at = functools.partial(divergence, kernel, x_0, p_0, log_p_0=log_p_0)
    return -jax.jvp(at, (t,), (jnp.ones_like(t),))[1]


def log_of(p_0: Probs, log_p_0: Logits | None) -> Logits:
    """`log_p_0`, or the log of p_0 where that is all there is."""
    return categorical.log(p_0) if log_p_0 is None else log_p_0
