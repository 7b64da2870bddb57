"""The terms of the variational bound for a `Mixture`, in one pass over the K states.

Arguments and shapes are those of `bound_terms`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from amd_jax.diffusion import kernels
from amd_jax.diffusion.bound_terms import (
    LARGEST,
    discrete,
    divergence,
    leave_one_out,
    leave_one_out_rate,
    log_of,
    rate,
)
from amd_jax.ops import categorical
from amd_jax.types import Array, Floats, Logits, Numbers, PerToken, Probs, Times, Tokens


@discrete.register
def _(
    kernel: kernels.Mixture,
    x_0: Tokens,
    p_0: Probs,
    x_t: Tokens,
    s: Times,
    t: Times,
    log_p_0: Logits | None = None,
) -> PerToken:
    """The same in one pass over the K states.

    Under the true posterior x_t was redrawn with probability w, and then x_s ~ q(x_s | x_0); else
    x_s = x_t. Of a guess v takes the place of w. So the KL is w D(s) + KL(w || v), D the
    `divergence`: no part is negative, and both vanish with t - s.
    """
    start = jnp.zeros_like(s)
    log_odds = categorical.log_or_never(kernel.into(x_t, s, t)) - kernel.log_keep(s, t, x_t.ndim)
    noise = kernel.into(x_t, start, s)
    true = categorical.log_or_never(kernel.keep(start, s, x_t.ndim) * (x_t == x_0) + noise)
    log_p = categorical.gather(log_of(p_0, log_p_0), x_t)
    guess = jnp.logaddexp(
        kernel.log_keep(start, s, x_t.ndim) + log_p, categorical.log_or_never(noise)
    )
    redrawn, guessed = log_odds - true, log_odds - guess
    inner = jax.nn.sigmoid(redrawn) * divergence(kernel, x_0, p_0, s, log_p_0)
    return inner + categorical.kl_of_log_odds(redrawn, guessed)


@leave_one_out.register
def _(
    kernel: kernels.Mixture,
    x_0: Tokens,
    p_0: Probs,
    s: Times,
    t: Times,
    log_p_0: Logits | None = None,
) -> PerToken:
    """The same without the difference, of which 1000 steps would leave three digits less.

    (1 - α) D(s) + Σ_z q(x_t = z | x_0) KL(w_z || v_z), with w, v as in `discrete`.
    """
    start, ndim = jnp.zeros_like(s), p_0.ndim
    clean = categorical.one_hot(x_0, p_0.shape[-1])
    log_keep, into = kernel.log_keep(s, t, ndim), kernel.noise(s, t, ndim)
    true = kernel.push(clean, start, s)
    guess = kernels.log_push(kernel, log_of(p_0, log_p_0), start, s)
    log_odds = categorical.log_or_never(into) - log_keep
    inner = categorical.kl_of_log_odds(log_odds - categorical.log_or_never(true), log_odds - guess)
    redrawn = -jnp.expm1(log_keep[..., 0]) * divergence(kernel, x_0, p_0, s, log_p_0)
    return redrawn + ((jnp.exp(log_keep) * true + into) * inner).sum(axis=-1)


class _Mixed(NamedTuple):
    """What `divergence` of a `Mixture` and its derivative in time are made of."""

    clean: Bool[Array, "B *event K"]  # the class x_0
    noise: Float[Array, "B ... K"]  # n_t, (B, 1, …, K)
    share: Probs  # α_t p_0 of the other classes
    true: PerToken  # q(x_t = x_0 | x_0)
    log_ratio: PerToken  # log of it over q(x_t = x_0 | x_0 ~ p_0)


def _mixed(
    kernel: kernels.Mixture, x_0: Tokens, p_0: Probs, t: Times, log_p_0: Logits | None
) -> _Mixed:
    start, ndim = jnp.zeros_like(t), x_0.ndim
    keep, into = kernel.keep(start, t, ndim), kernel.into(x_0, start, t)
    clean = categorical.one_hot(x_0, p_0.shape[-1], dtype=bool)
    share = keep[..., None] * jnp.where(clean, 0.0, p_0)
    true = keep + into
    missing = share.sum(axis=-1) / true  # 1 - 1 / the ratio, exact for a nearly right guess
    near = missing < 0.5
    log_p = kernel.log_keep(start, t, ndim) + categorical.gather(log_of(p_0, log_p_0), x_0)
    far = jnp.log(true) - jnp.logaddexp(log_p, categorical.log_or_never(into))
    log_ratio = jnp.where(near, -jnp.log1p(-jnp.where(near, missing, 0.0)), far)
    return _Mixed(clean, kernel.noise(start, t, p_0.ndim), share, true, log_ratio)


@divergence.register
def _(
    kernel: kernels.Mixture, x_0: Tokens, p_0: Probs, t: Times, log_p_0: Logits | None = None
) -> PerToken:
    """The same as a sum of which no part is negative.

    With u = α p_0 of another class and n its noise, u - n log(1 + u / n) each, and for x_0 itself
    E log(E / G) - Σ u.
    """
    _, noise, share, true, log_ratio = _mixed(kernel, x_0, p_0, t, log_p_0)
    others = (share - noise * jnp.log1p(share * _inverse(noise))).sum(axis=-1)
    return others + (true * log_ratio - share.sum(axis=-1))


@rate.register
def _(
    kernel: kernels.Mixture,
    x_0: Tokens,
    p_0: Probs,
    x_t: Tokens,
    t: Times,
    log_p_0: Logits | None = None,
) -> PerToken:
    """The same in one pass: w (KL(q_t(x_0) || q_t(p_0)) + r - log r - 1).

    With r = q_t(x_t | x_0) / q_t(x_t | p_0), w = (n' - (log α)' n)[x_t] / q_t(x_t | x_0) and n the
    noise at t: UDLM's for uniform noise (Schiff et al., 2025), GIDD's where noise moves (von Rütte
    et al., 2025), and for masks -α' / (1 - α) times the cross-entropy of the masked tokens.
    """
    mixed = _mixed(kernel, x_0, p_0, t, log_p_0)
    _, into = _pace(kernel, t, p_0.ndim)
    right, noise = x_t == x_0, kernel.into(x_t, jnp.zeros_like(t), t)
    own = jnp.where(right, mixed.true, noise)
    excess = _excess(right, noise, categorical.gather(mixed.share, x_t), mixed.log_ratio)
    known = divergence(kernel, x_0, p_0, t, log_p_0) + excess
    return categorical.gather(into, x_t) * _inverse(own) * known


@leave_one_out_rate.register
def _(
    kernel: kernels.Mixture, x_0: Tokens, p_0: Probs, t: Times, log_p_0: Logits | None = None
) -> PerToken:
    """The same as a sum of which no part is negative.

    -(log α)' D(t) + Σ_z (n' - (log α)' n)[z] (r_z - log r_z - 1), with r_z as in `rate`.
    """
    mixed = _mixed(kernel, x_0, p_0, t, log_p_0)
    slope, into = _pace(kernel, t, p_0.ndim)
    known = divergence(kernel, x_0, p_0, t, log_p_0)
    clean, noise, share, _, log_ratio = mixed
    excess = _excess(clean, noise, share, log_ratio[..., None])
    return -slope[..., 0] * known + (into * excess).sum(axis=-1)


def _pace(kernel: kernels.Mixture, t: Times, ndim: int) -> tuple[Array, Array]:
    """(log α)' and n' - (log α)' n at t, with `ndim` axes: (B, 1, …, 1) and (B, 1, …, K)."""
    (_, noise), (slope, change) = jax.jvp(kernel.level, (t,), (jnp.ones_like(t),))
    into = categorical.positive(change - categorical.expand(slope, noise.ndim) * noise)
    shape = (len(t), *(1,) * (ndim - noise.ndim), *noise.shape[1:])
    return categorical.expand(slope, ndim), into.reshape(shape)


def _excess(
    clean: Bool[Array, "*shape"], noise: Numbers, share: Numbers, log_ratio: Numbers
) -> Floats:
    """r - log r - 1, r the true chance of a state over the guessed; arguments as in `_Mixed`."""
    grown = share * _inverse(noise)  # 1 / r - 1 but for x_0
    others = jnp.log1p(grown) - grown / (1 + grown)
    own = jnp.expm1(jnp.minimum(log_ratio, LARGEST)) - log_ratio
    return jnp.where(clean, own, others)


def _inverse(p: Floats) -> Floats:
    """1 / p, at most 1e30, with a derivative in which no square of p becomes 0."""
    return jnp.exp(-categorical.log(p))
