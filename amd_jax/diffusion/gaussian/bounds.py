"""The bound of a Gaussian diffusion, of a process (`gaussian.Process`) and data x (B, ...).

`elbo` and `elbo_of_all_steps` in discrete time, `elbo` without steps in continuous time, and
`log_weight`, on which importance weighting is sound. All are nats, summed over the event.
Ho et al., 2020; Kingma et al., 2021 (VDM).
"""

import jax
import jax.numpy as jnp

from amd_jax.diffusion import bounds
from amd_jax.diffusion.gaussian.process import (
    Process,
    decoded,
    diffused,
    log_variance,
    log_variances,
    posterior_mean,
    posterior_weights,
    step_kl,
)
from amd_jax.ops import categorical
from amd_jax.types import Array, Grid, Key, Nats, Times, Tokens


def term(process: Process, rng: Key, x: Tokens, s: Times, t: Times) -> Nats:
    """The bound's term of the step from t to s < t, with z_t drawn anew."""
    rng_noise, rng_network = jax.random.split(rng)
    f = process.point(x)
    guess = process.guess(process.corrupted(rng_noise, x, t), t, rng_network)
    gamma_s, gamma_t = (process.level(u, f.ndim) for u in (s, t))
    excess = log_variances(gamma_s, gamma_t)[0] - log_variance(
        process, guess.said, gamma_s, gamma_t
    )
    return categorical.sum_event(step_kl(f - guess.clean, excess, gamma_s, gamma_t))


def rate(process: Process, rng: Key, x: Tokens, t: Times) -> Nats:
    """The limit of `term` per unit of time, ½ γ' SNR |f - its guess|².

    Whatever the variance of steps (Kingma et al., 2021, eq. 15).
    """
    rng_noise, rng_network = jax.random.split(rng)
    gamma, slope = jax.jvp(process.gamma, (t,), (jnp.ones_like(t),))
    guess = process.guess(process.corrupted(rng_noise, x, t), t, rng_network)
    error = process.point(x) - guess.clean
    return 0.5 * slope * jnp.exp(-gamma) * categorical.sum_event(jnp.square(error))


def prior_kl(process: Process, x: Tokens) -> Nats:
    """KL(q(z_1 | x) || N(0, 1)), what of x survives all noise."""
    f, gamma = process.point(x), process.gamma(jnp.ones(x.shape[0]))
    gamma = categorical.expand(gamma, f.ndim)
    left = jax.nn.sigmoid(-gamma)  # α², of which the variance lacks as much
    return 0.5 * categorical.sum_event(left * jnp.square(f) - left - jax.nn.log_sigmoid(gamma))


def reconstruction(process: Process, rng: Key, x: Tokens) -> Nats:
    """log p(x | z_0) of a draw of z_0."""
    z_0 = process.corrupted(rng, x, jnp.zeros(x.shape[0]))
    return categorical.sum_event(categorical.gather(decoded(process, z_0), x))


def elbo(process: Process, rng: Key, x: Tokens, steps: int | None) -> Nats:
    """reconstruction - prior_kl - T L_i, i stratified over the batch; T = ∞ without steps.

    The stratified times are VDM's of low discrepancy (Kingma et al., 2021, app. I).
    """
    rng_time, rng_start, rng = jax.random.split(rng, 3)
    u = bounds.stratified(rng_time, x.shape[0])
    ends = reconstruction(process, rng_start, x) - prior_kl(process, x)
    if steps is None:
        return ends - rate(process, rng, x, u)
    return ends - steps * term(process, rng, x, *bounds.ends(bounds.steps_at(u, steps), steps))


def elbo_of_all_steps(process: Process, rng: Key, x: Tokens, times: Grid) -> Nats:
    """reconstruction - prior_kl - Σ_i L_i over the steps of a grid, each with its own z_t.

    As many network calls as there are steps.
    """
    last, start = len(times) - 1, len(times)
    ends = reconstruction(process, jax.random.fold_in(rng, start), x) - prior_kl(process, x)

    def add(j: Array, total: Nats) -> Nats:
        s, t = (jnp.full(x.shape[0], times[last - i]) for i in (j, j + 1))
        return total - term(process, jax.random.fold_in(rng, j), x, s, t)

    return jax.lax.fori_loop(0, last, add, ends)


def log_weight(process: Process, rng: Key, x: Tokens, steps: int) -> Nats:
    """log p(x, z_0, …, z_1) - log q(z_0, …, z_1 | x) of one trajectory, T network calls.

    E[exp(log_weight)] = p(x): the draw that importance-weighted bounds are sound on.
    """
    f, start = process.point(x), jnp.zeros(x.shape[0])
    rng_end, rng = jax.random.split(rng)
    eps, gamma = jax.random.normal(rng_end, f.shape), process.level(start + 1, f.ndim)
    z_1 = diffused(f, eps, gamma)
    prior = eps**2 + jax.nn.log_sigmoid(gamma) - z_1**2

    def step(j: Array, carry: tuple[Array, Nats]) -> tuple[Array, Nats]:
        z_t, total = carry
        s, t = (jnp.full(x.shape[0], (steps - j - k) / steps) for k in (1, 0))
        guess = process.guess(z_t, t)
        s, t = process.level(s, f.ndim), process.level(t, f.ndim)
        small, _ = log_variances(s, t)
        excess = small - log_variance(process, guess.said, s, t)
        eps = jax.random.normal(jax.random.fold_in(rng, j), f.shape)
        shift = posterior_weights(s, t)[0] * jnp.exp(-0.5 * small) * (f - guess.clean)
        ratio = excess + eps**2 - jnp.exp(excess) * (eps + shift) ** 2
        z_s = posterior_mean(f, z_t, s, t) + jnp.exp(0.5 * small) * eps
        return z_s, total + 0.5 * categorical.sum_event(ratio)

    z_0, total = jax.lax.fori_loop(0, steps, step, (z_1, 0.5 * categorical.sum_event(prior)))
    return total + categorical.sum_event(categorical.gather(decoded(process, z_0), x))
