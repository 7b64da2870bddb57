"""The variational bound of a process: its terms per token for any kernel, and their sums.

Of a process (`Process`) and data x (B, ...): `elbo` and `elbo_of_all_steps` in discrete time,
`continuous` in the limit of many steps, and `log_weight`, on which importance weighting is sound.
All are nats (B,), summed over the event.
"""

import functools

import jax
import jax.numpy as jnp

from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, Key, Nats


@functools.singledispatch
def discrete(kernel: Kernel, x_0: Array, p_0: Array, x_t: Array, s: Array, t: Array) -> Array:
    """KL(q(x_s | x_t, x_0) || q(x_s | x_t, x_0 ~ p_0)) per token: (B, ...).

    x_0, x_t (B, ...) tokens, p_0 (B, ..., K) the network's guess of x_0, s < t (B,). At s = 0 this
    is the decoder's -log p(x_0 | x_1), since α_0 = 1 (Hoogeboom et al., 2021, eq. 14 and 15).
    """
    true = kernels.posterior(kernel, categorical.one_hot(x_0, p_0.shape[-1]), x_t, s, t)
    return categorical.kl(true, kernels.posterior(kernel, p_0, x_t, s, t))


@discrete.register
def _(kernel: kernels.Mixture, x_0: Array, p_0: Array, x_t: Array, s: Array, t: Array) -> Array:
    """The same in one pass over the K states, and without cancellation when t - s is small.

    Write E_k = q(x_s = k | x_0), G_k = q(x_s = k | p_0), r_k = log E_k - log G_k and z = x_t.
    Under the true posterior x_t was redrawn with probability w, and then x_s ~ E; else x_s = z.
    So the KL is w (E[r] - r_z) + log1p(c / G_z) - log1p(c / E_z), c = q(redrawn into z) / α: both
    parts vanish with 1 - α.
    """
    start = jnp.zeros_like(s)
    keep, keep_s = kernel.keep(s, t, x_t.ndim), kernel.keep(start, s, x_t.ndim)
    noise, noise_0 = kernel.noise(start, s, p_0.ndim), kernel.into(x_0, start, s)
    noise_t = kernel.into(x_t, start, s)

    log_g = categorical.log(kernel.push(p_0, start, s))
    r_noise = (noise * (categorical.log(noise) - log_g)).sum(axis=-1)  # right but for k = x_0
    log_e_0 = categorical.log(keep_s + noise_0)
    r_0 = log_e_0 - categorical.log(keep_s * categorical.gather(p_0, x_0) + noise_0)
    r_noise += noise_0 * (log_e_0 - categorical.log(noise_0))

    e_t = jnp.maximum(keep_s * (x_t == x_0) + noise_t, categorical.FLOOR)
    g_t = jnp.maximum(keep_s * categorical.gather(p_0, x_t) + noise_t, categorical.FLOOR)
    odds = kernel.into(x_t, s, t) / jnp.maximum(keep, 1e-8)  # finite over FLOOR where keep is α_1
    weight = odds / (e_t + odds)
    mean_r = keep_s * r_0 + r_noise
    return (
        weight * (mean_r - jnp.log(e_t) + jnp.log(g_t))
        + jnp.log1p(odds / g_t)
        - jnp.log1p(odds / e_t)
    )


def leave_one_out(kernel: Kernel, x_0: Array, p_0: Array, s: Array, t: Array) -> Array:
    """E over x_t[n] ~ q(x_t | x_0) of `discrete`, exactly, where p_0[n] does not depend on x_t[n].

    By the chain rule of the KL it is D(s) - D(t) of `divergence`, for any kernel: what is learnt
    about x_0 on the way from t to s. Per token: (B, ...).
    """
    return divergence(kernel, x_0, p_0, s) - divergence(kernel, x_0, p_0, t)


def divergence(kernel: Kernel, x_0: Array, p_0: Array, t: Array) -> Array:
    """D(t) = KL(q(x_t | x_0) || q(x_t | x_0 ~ p_0)) per token: (B, ...)."""
    true, start = categorical.one_hot(x_0, p_0.shape[-1]), jnp.zeros_like(t)
    return categorical.kl(kernel.push(true, start, t), kernel.push(p_0, start, t))


@functools.singledispatch
def rate(kernel: Kernel, x_0: Array, p_0: Array, x_t: Array, t: Array) -> Array:
    """The limit of `discrete` over t - s as s approaches t, per token and unit of time: (B, ...).

    Σ_{y ≠ x_t} ρ̂ - ρ + ρ log(ρ / ρ̂), with ρ = R(y -> x_t) q_t(y | x_0) / q_t(x_t | x_0), ρ̂ the
    same with x_0 ~ p_0, and R the derivative of the likelihood (Campbell et al., 2022, prop. 2).
    """
    true, guess = (
        kernels.reverse_rates(kernel, p, x_t, t)
        for p in (categorical.one_hot(x_0, p_0.shape[-1]), p_0)
    )
    return (guess - true + true * (categorical.log(true) - categorical.log(guess))).sum(axis=-1)


@rate.register
def _(kernel: kernels.Mixture, x_0: Array, p_0: Array, x_t: Array, t: Array) -> Array:
    """The same in one pass: w (KL(q_t(x_0) || q_t(p_0)) + r - log r - 1).

    With r = q_t(x_t | x_0) / q_t(x_t | p_0), w = (n' - (log α)' n)[x_t] / q_t(x_t | x_0) and n the
    noise at t: UDLM's for uniform noise (Schiff et al., 2025), GIDD's where noise moves (von Rütte
    et al., 2025), and for masks -α' / (1 - α) times the cross-entropy of the masked tokens.
    """
    start = jnp.zeros_like(t)
    (_, noise), (slope, change) = jax.jvp(kernel.level, (t,), (jnp.ones_like(t),))
    into = change - slope[..., None] * noise
    into = categorical.gather(into.reshape(-1, *(1,) * (x_t.ndim - 1), into.shape[-1]), x_t)
    true = kernel.push(categorical.one_hot(x_0, p_0.shape[-1]), start, t)
    guess = kernel.push(p_0, start, t)
    here = jnp.maximum(categorical.gather(true, x_t), categorical.FLOOR)
    ratio = here / jnp.maximum(categorical.gather(guess, x_t), categorical.FLOOR)
    return into / here * (categorical.kl(true, guess) + (ratio - 1) - jnp.log(ratio))


def term(process: Process, rng: Key, x: Array, s: Array, t: Array) -> Nats:
    """The bound's term of the step from t to s < t, with x_t drawn anew: (B,) in nats.

    At s = 0 it is the decoder's. Hoogeboom et al., 2021, eq. 14.
    """
    rng_noise, rng_network = jax.random.split(rng)
    x_t = process.corrupted(rng_noise, x, t)
    return term_of(process, rng_network, x, x_t, s, t)


def term_of(process: Process, rng: Key, x: Array, x_t: Array, s: Array, t: Array) -> Nats:
    """`term` of a given x_t (B, ...), or of all its own tokens where they are not seen: (B,)."""
    p_0 = process.predict(x_t, t, rng)
    if process.leave_one_out:
        return categorical.sum_event(leave_one_out(process.kernel, x, p_0, s, t))
    return categorical.sum_event(discrete(process.kernel, x, p_0, x_t, s, t))


def rate_of(process: Process, rng: Key, x: Array, x_t: Array, t: Array) -> Nats:
    """The limit of `term_of` per unit of time as s nears t: (B,) in nats.

    Without the own token it is -d/dt of the divergence at a fixed guess, exact over that token;
    otherwise `rate`. Needs a kernel with a derivative in time.
    """
    p_0 = process.predict(x_t, t, rng)
    if process.leave_one_out:
        known = functools.partial(divergence, process.kernel, x, p_0)
        return categorical.sum_event(-jax.jvp(known, (t,), (jnp.ones_like(t),))[1])
    return categorical.sum_event(rate(process.kernel, x, p_0, x_t, t))


def prior_kl(kernel: Kernel, x: Array, given: Array | None = None) -> Nats:
    """KL(q(x_1 | x) || prior), what of x survives all noise, but for what is given: (B,)."""
    start = jnp.zeros(x.shape[0])
    p_1 = kernel.push(categorical.one_hot(x, len(kernel.prior)), start, jnp.ones_like(start))
    return _sum_unknown(categorical.kl(p_1, kernel.prior), given)


def step_term(process: Process, rng: Key, x: Array, i: Array, steps: int) -> Nats:
    """`term` of step i (B,) int in {1, …, T} of T equal ones: (B,) in nats."""
    return term(process, rng, x, *ends(i, steps))


def elbo(process: Process, rng: Key, x: Array, steps: int) -> Nats:
    """-(T L_i + prior_kl), i stratified over the batch: (B,), with E[elbo] <= log p(x)."""
    rng_time, rng = jax.random.split(rng)
    i = steps_at(stratified(rng_time, x.shape[0]), steps)
    prior = prior_kl(process.kernel, x, process.given)
    return -steps * step_term(process, rng, x, i, steps) - prior


def elbo_of_all_steps(process: Process, rng: Key, x: Array, times: Array) -> Nats:
    """-(Σ_i L_i + prior_kl) over the steps of a grid, each with an x_t of its own: (B,).

    times (S + 1,) fall from 1 to 0; as many network calls as there are steps.
    """
    last = len(times) - 1

    def add(j: Array, total: Nats) -> Nats:
        s, t = (jnp.full(x.shape[0], times[last - i]) for i in (j, j + 1))
        return total + term(process, jax.random.fold_in(rng, j), x, s, t)

    return -jax.lax.fori_loop(0, last, add, prior_kl(process.kernel, x, process.given))


def continuous(process: Process, rng: Key, x: Array) -> Nats:
    """The limit of `elbo` for T -> ∞, `rate_of` at one time stratified over the batch: (B,).

    Times are drawn at the kernel's own pace (`kernels.paced`), and weighted for it.
    """
    rng_time, rng = jax.random.split(rng)
    rng_noise, rng_network = jax.random.split(rng)
    t, slope = kernels.paced(process.kernel, stratified(rng_time, x.shape[0]))
    found = rate_of(process, rng_network, x, process.corrupted(rng_noise, x, t), t)
    return -slope * found - prior_kl(process.kernel, x, process.given)


def log_weight(process: Process, rng: Key, x: Array, steps: int) -> Nats:
    """Log p(x, x_1, …, x_T) - log q(x_1, …, x_T | x) of one trajectory: (B,), T network calls.

    E[exp(log_weight)] = p(x): the draw that importance-weighted bounds are sound on.
    """
    kernel, start = process.kernel, jnp.zeros(x.shape[0])
    rng_end, rng = jax.random.split(rng)
    x_end = process.corrupted(rng_end, x, start + 1)
    clean = categorical.one_hot(x, len(kernel.prior))

    def log_at(p: Array, x: Array) -> Nats:
        return _sum_unknown(categorical.log(categorical.gather(p, x)), process.given)

    def step(j: Array, carry: tuple[Array, Nats]) -> tuple[Array, Nats]:
        x_t, total = carry
        s, t = (jnp.full(x.shape[0], (steps - j - k) / steps) for k in (1, 0))
        p_0 = process.predict(x_t, t)
        x_s = process.held(kernels.step_back(kernel, jax.random.fold_in(rng, j), clean, x_t, s, t))
        for sign, guess in ((1, p_0), (-1, clean)):
            total += sign * log_at(kernels.posterior(kernel, guess, x_t, s, t), x_s)
        return x_s, total

    p_end = kernel.push(clean, start, start + 1)
    prior = jnp.broadcast_to(kernel.prior, p_end.shape)
    total = log_at(prior, x_end) - log_at(p_end, x_end)
    return jax.lax.fori_loop(0, steps, step, (x_end, total))[1]


def _sum_unknown(nats: Array, given: Array | None) -> Nats:
    """The sum of the nats of all tokens that are not given: (B, ...) -> (B,)."""
    return categorical.sum_event(nats if given is None else jnp.where(given >= 0, 0.0, nats))


def steps_at(u: Array, steps: int) -> Array:
    """The step whose interval holds u in [0, 1): int32 in {1, …, T}."""
    return jnp.minimum((u * steps).astype(jnp.int32) + 1, steps)


def ends(i: Array, steps: int) -> tuple[Array, Array]:
    """Times s < t of the ends of step i (B,) in {1, …, T} of T equal ones: (B,), (B,)."""
    return (i - 1) / steps, i / steps


def stratified(rng: Key, n: int) -> Array:
    """N numbers in [0, 1), each uniform, one in every stratum of width 1 / n: (n,).

    One common shift, so that every place in the batch sees every time (Kingma et al., 2021,
    app. I).
    """
    return (jax.random.uniform(rng) + jnp.arange(n) / n) % 1.0
