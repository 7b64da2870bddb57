"""The variational bound of a process: its terms per token for any kernel, and their sums.

Of a process (`Process`) and data x (B, ...): `elbo` and `elbo_of_all_steps` in discrete time,
`continuous` in the limit of many steps, and `log_weight`, on which importance weighting is sound.
All are nats, summed over the event; NaN for rows with a token outside [0, K), which outside of jit
are a ValueError.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.diffusion import (
    kernels,
    mixture_terms,  # noqa: F401  registers its forms
)
from amd_jax.diffusion.bound_terms import (
    discrete,
    divergence,
    leave_one_out,
    leave_one_out_rate,
    rate,
)
from amd_jax.diffusion.process import Process
from amd_jax.ops import categorical
from amd_jax.types import (
    Array,
    Flags,
    Floats,
    Grid,
    Kernel,
    Key,
    Logits,
    Nats,
    PerToken,
    Times,
    Tokens,
)

__all__ = [
    "continuous",
    "discrete",
    "divergence",
    "elbo",
    "elbo_of_all_steps",
    "end_term",
    "ends",
    "leave_one_out",
    "leave_one_out_rate",
    "log_weight",
    "multi_sample_term",
    "prior_kl",
    "rate",
    "rate_of",
    "step_term",
    "steps_at",
    "stratified",
    "term",
    "term_of",
]


def term(process: Process, rng: Key, x: Tokens, s: Times, t: Times) -> Nats:
    """The bound's term of the step from t to s < t, with x_t drawn anew.

    At s = 0 it is the decoder's. Hoogeboom et al., 2021, eq. 14.
    """
    rng_noise, rng_network = jax.random.split(rng)
    x_t = process.corrupted(rng_noise, x, t)
    return term_of(process, rng_network, x, x_t, s, t)


def term_of(process: Process, rng: Key, x: Tokens, x_t: Tokens, s: Times, t: Times) -> Nats:
    """`term` of a given x_t, or of all its own tokens where they are not seen."""
    log_p = process.log_predict(x_t, t, rng)
    guess = x, jnp.exp(log_p)
    if process.leave_one_out:
        return categorical.sum_event(leave_one_out(process.kernel, *guess, s, t, log_p))
    return categorical.sum_event(discrete(process.kernel, *guess, x_t, s, t, log_p))


def multi_sample_term(
    process: Process, rng: Key, x: Tokens, s: Times, t: Times, draws: int
) -> Nats:
    """`term` for masks with random symbols z: the step's law is a mean over z, drawn N times.

    -log (1/N) Σ_n p(x_s | x_t, z_n) / q(x_s | x_t, x_0) of drawn x_t and x_s. Its mean is at least
    that with E_z p(x_s | x_t, z), the law of the step, and nears it with more draws (Burda et al.,
    2016, sec. 3). With N = 1 it is `term`, of which the best network ignores z; its gradient is
    that of the draws by the softmax of their weights, so different z may learn different modes.
    For `kernels.RandomMasks`, whose x_t and x_s keep their symbols apart from the data.
    """
    kernel = process.kernel
    assert isinstance(kernel, kernels.RandomMasks)
    rng_noise, rng_step, rng_network, rng = jax.random.split(rng, 4)
    clean = categorical.one_hot(x, kernel.prior.shape[-1])
    x_t = process.corrupted(rng_noise, x, t)
    x_s = process.held(kernels.step_back(kernel, rng_step, clean, x_t, s, t), x_t)

    def log_weight(rng: Key) -> Nats:
        z = kernel.redrawn(rng, x_t)
        log_p = process.log_predict(z, t, rng_network)
        return _log_ratio(process, log_p, x, z, x_s, s, t)

    log_weights = jax.vmap(log_weight)(jax.random.split(rng, draws))
    return jnp.log(draws) - jax.nn.logsumexp(log_weights, axis=0)


def rate_of(process: Process, rng: Key, x: Tokens, x_t: Tokens, t: Times) -> Nats:
    """The limit of `term_of` per unit of time as s nears t.

    `leave_one_out_rate`, exact over the own token, for a guess that does not see it; otherwise
    `rate`. Needs a kernel with a derivative in time.
    """
    log_p = process.log_predict(x_t, t, rng)
    guess = x, jnp.exp(log_p)
    if process.leave_one_out:
        return categorical.sum_event(leave_one_out_rate(process.kernel, *guess, t, log_p))
    return categorical.sum_event(rate(process.kernel, *guess, x_t, t, log_p))


def prior_kl(kernel: Kernel, x: Tokens, known: Flags | None = None) -> Nats:
    """KL(q(x_1 | x) || prior), what of x survives all noise, but for what is known."""
    start = jnp.zeros(x.shape[0])
    p_1 = kernel.push(categorical.one_hot(x, kernel.prior.shape[-1]), start, jnp.ones_like(start))
    return _sum_unknown(categorical.kl(p_1, kernel.prior), known)


def end_term(process: Process, x: Tokens) -> Nats:
    """The bound's term of time 1: `prior_kl`, and -log p of what a support draws first.

    inf for rows that the support rules out, NaN for rows with a token of no class.
    """
    kl = prior_kl(process.kernel, x, process.known(x))
    return kl - process.log_first(x) - process.inside(x)


def step_term(process: Process, rng: Key, x: Tokens, i: Integer[Array, "B"], steps: int) -> Nats:
    """`term` of step i in {1, …, T} of T equal ones."""
    return term(process, rng, x, *ends(i, steps))


def elbo(process: Process, rng: Key, x: Tokens, steps: int) -> Nats:
    """-(T L_i + end_term), i stratified over the batch, with E[elbo] <= log p(x)."""
    rng_time, rng = jax.random.split(rng)
    i = steps_at(stratified(rng_time, x.shape[0]), steps)
    return -steps * step_term(process, rng, x, i, steps) - end_term(process, x)


def elbo_of_all_steps(
    process: Process,
    rng: Key,
    x: Tokens,
    times: Grid,
    term: Callable[[Process, Key, Tokens, Times, Times], Nats] = term,
) -> Nats:
    """-(Σ_i L_i + end_term) over the steps of a grid, each with an x_t of its own.

    As many network calls as there are steps, for the usual `term`.
    """
    last = len(times) - 1

    def add(j: Array, total: Nats) -> Nats:
        s, t = (jnp.full(x.shape[0], times[last - i]) for i in (j, j + 1))
        return total + term(process, jax.random.fold_in(rng, j), x, s, t)

    return -jax.lax.fori_loop(0, last, add, end_term(process, x))


def continuous(process: Process, rng: Key, x: Tokens) -> Nats:
    """The limit of `elbo` for T -> ∞, `rate_of` at one time stratified over the batch.

    Times are drawn at the kernel's own pace (`kernels.paced`), and weighted for it.
    """
    rng_time, rng = jax.random.split(rng)
    rng_noise, rng_network = jax.random.split(rng)
    t, slope = kernels.paced(process.kernel, stratified(rng_time, x.shape[0]))
    result = rate_of(process, rng_network, x, process.corrupted(rng_noise, x, t), t)
    return -slope * result - end_term(process, x)


def log_weight(process: Process, rng: Key, x: Tokens, steps: int) -> Nats:
    """Log p(x, x_1, …, x_T) - log q(x_1, …, x_T | x) of one trajectory, T network calls.

    E[exp(log_weight)] = p(x): the draw that importance-weighted bounds are sound on.
    """
    kernel, start = process.kernel, jnp.zeros(x.shape[0])
    rng_end, rng = jax.random.split(rng)
    x_end = process.corrupted(rng_end, x, start + 1)
    clean = categorical.one_hot(x, kernel.prior.shape[-1])

    def step(j: Array, carry: tuple[Array, Nats]) -> tuple[Array, Nats]:
        x_t, total = carry
        s, t = (jnp.full(x.shape[0], (steps - j - k) / steps) for k in (1, 0))
        log_p = process.log_predict(x_t, t)
        x_s = kernels.step_back(kernel, jax.random.fold_in(rng, j), clean, x_t, s, t)
        x_s = process.held(x_s, x_t)
        return x_s, total + _log_ratio(process, log_p, x, x_t, x_s, s, t)

    p_end = kernel.push(clean, start, start + 1)
    prior = jnp.broadcast_to(kernel.prior, p_end.shape)
    nats = categorical.gather(categorical.log(prior) - categorical.log(p_end), x_end)
    total = _sum_unknown(nats, process.known(x_end))
    total += process.inside(x, apart=True) + process.log_first(x)
    return jax.lax.fori_loop(0, steps, step, (x_end, total))[1]


def _log_ratio(
    process: Process, log_p: Logits, x: Tokens, x_t: Tokens, x_s: Tokens, s: Times, t: Times
) -> Nats:
    """Log p(x_s | x_t) - log q(x_s | x_t, x), log_p the log of the guess."""
    true = categorical.log_or_never(categorical.one_hot(x, log_p.shape[-1]))
    guessed, known = (
        categorical.gather(kernels.log_posterior(process.kernel, a, x_t, s, t), x_s)
        for a in (log_p, true)
    )
    return _sum_unknown(guessed - known, process.known(x_s))


def _sum_unknown(nats: PerToken, known: Flags | None) -> Nats:
    """The sum of the nats of all tokens that are not known."""
    return categorical.sum_event(nats if known is None else jnp.where(known, 0.0, nats))


def steps_at(u: Floats, steps: int) -> Integer[Array, "*shape"]:
    """The step whose interval holds u in [0, 1), in {1, …, T}."""
    return jnp.minimum((u * steps).astype(jnp.int32) + 1, steps)


def ends(i: Integer[Array, "B"], steps: int) -> tuple[Times, Times]:
    """Times s < t of the ends of step i in {1, …, T} of T equal ones.

    Rounded to float32, so that steps are uneven by up to T / 2^24 of their length, and no bound is
    less exact for it: the steps still meet.
    """
    i = i.astype(float)
    return (i - 1) / steps, i / steps


def stratified(rng: Key, n: int) -> Float[Array, "{n}"]:
    """N numbers in [0, 1), each uniform, one in every stratum of width 1 / n.

    One common shift, so that every place in the batch sees every time (Kingma et al., 2021,
    app. I).
    """
    return (jax.random.uniform(rng) + jnp.arange(n) / n) % 1.0
