"""Terms of the variational bound, per token in nats, for any kernel."""

import functools

import jax.numpy as jnp

from amd_jax.diffusion import kernels
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel


@functools.singledispatch
def discrete(kernel: Kernel, x_0: Array, p_0: Array, x_t: Array, s: Array, t: Array) -> Array:
    """KL(q(x_s | x_t, x_0) || q(x_s | x_t, x_0 ~ p_0)) per token: (B, ...).

    x_0, x_t (B, ...) tokens, p_0 (B, ..., K) the network's guess of x_0, s < t (B,). At s = 0 this
    is the decoder's -log p(x_0 | x_1), since α_0 = 1 (Hoogeboom et al., 2021, eq. 14 and 15).
    """
    true = kernels.posterior(kernel, categorical.one_hot(x_0, p_0.shape[-1]), x_t, s, t)
    return categorical.kl(true, kernels.posterior(kernel, p_0, x_t, s, t))


@discrete.register
def _(kernel: kernels.Mixing, x_0: Array, p_0: Array, x_t: Array, s: Array, t: Array) -> Array:
    """The same in one pass over the K states, and without cancellation when t - s is small.

    Write E_k = q(x_s = k | x_0), G_k = q(x_s = k | p_0), r_k = log E_k - log G_k and z = x_t.
    Under the true posterior x_t was redrawn with probability w, and then x_s ~ E; else x_s = z.
    So the KL is w (E[r] - r_z) + log1p(c / G_z) - log1p(c / E_z), c = (1 - α) prior_z / α: both
    parts vanish with 1 - α.
    """
    start, ndim = jnp.zeros_like(s), x_t.ndim
    keep_s, redraw_s = kernel.split(start, s, ndim)  # from 0 to s
    keep, redraw = kernel.split(s, t, ndim)  # from s to t
    prior_0, prior_t = kernel.prior[x_0], kernel.prior[x_t]

    log_e_noise = categorical.log(redraw_s[..., None] * kernel.prior)  # log E_k but for k = x_0
    log_g = categorical.log(kernel.push(p_0, start, s))
    r_noise = (kernel.prior * (log_e_noise - log_g)).sum(axis=-1)
    log_e_0 = categorical.log(keep_s + redraw_s * prior_0)
    r_0 = log_e_0 - categorical.log(keep_s * categorical.gather(p_0, x_0) + redraw_s * prior_0)
    r_noise += prior_0 * (log_e_0 - categorical.log(redraw_s * prior_0))

    e_t = jnp.maximum(keep_s * (x_t == x_0) + redraw_s * prior_t, categorical.FLOOR)
    g_t = keep_s * categorical.gather(p_0, x_t) + redraw_s * prior_t
    g_t = jnp.maximum(g_t, categorical.FLOOR)
    redrawn = redraw * prior_t
    odds = redrawn / jnp.maximum(keep, 1e-8)  # odds / FLOOR stays finite where keep is α_1
    weight = odds / (e_t + odds)
    mean_r = keep_s * r_0 + redraw_s * r_noise
    return (
        weight * (mean_r - jnp.log(e_t) + jnp.log(g_t))
        + jnp.log1p(odds / g_t)
        - jnp.log1p(odds / e_t)
    )


def leave_one_out(kernel: Kernel, x_0: Array, p_0: Array, s: Array, t: Array) -> Array:
    """E over x_t[n] ~ q(x_t | x_0) of `discrete`, exactly, where p_0[n] does not depend on x_t[n].

    By the chain rule of the KL it is D(s) - D(t), D(r) = KL(q(x_r | x_0) || q(x_r | x_0 ~ p_0)),
    for any kernel: what is learnt about x_0 on the way from t to s. Per token: (B, ...).
    """
    true = categorical.one_hot(x_0, p_0.shape[-1])

    def divergence(r: Array) -> Array:
        start = jnp.zeros_like(r)
        return categorical.kl(kernel.push(true, start, r), kernel.push(p_0, start, r))

    return divergence(s) - divergence(t)
