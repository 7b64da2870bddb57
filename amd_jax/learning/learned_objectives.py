"""Objectives that train the parameters of a kernel beside the network's.

`NegativeElbo` gives a kernel a part of its gradient only: x_t is drawn from it, and a draw passes
none on. What is reported is the bound here too; what is there for its gradient has the value 0.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.diffusion import bounds, gaussian
from amd_jax.diffusion.gaussian import noise_schedules
from amd_jax.diffusion.kernels.learned_schedule import LearnedSchedule
from amd_jax.diffusion.process import Process
from amd_jax.learning.objectives import Memoryless, drawn_step, gradient_only, negative_term
from amd_jax.models import Diffusion, GaussianDiffusion
from amd_jax.ops import categorical
from amd_jax.types import Array, Floats, Kernel, Key, LearnedKernel, Nats, Params, Times, Tokens

Pairs = Integer[Array, "2*B *event"]  # two draws of each row, all first ones before
Number = Float[Array, ""]
Sums = dict[str, Number]  # of L², and of its weights or rows


@dataclasses.dataclass(frozen=True, eq=False)
class LeaveOneOutReinforce(Memoryless):
    """-elbo of a diffusion whose kernel learns, with the gradient of the law of x_t.

    Two x_t of each row at one time, with losses f and f': (f + f') / 2, and of value 0 but for
    the gradient ½ (f - f') ∇ (log q_t(x_t | x) - log q_t(x_t' | x)), each loss the other's
    baseline (Shi et al., 2024). Unbiased for any kernel, in discrete time and
    in continuous; two network evaluations of each row.
    """

    model: Diffusion

    def __post_init__(self):
        """Raises ValueError for a kernel without parameters."""
        _check_learns(self.model.kernel, "LeaveOneOutReinforce")

    def loss(self, params: Params, memory: tuple, rng: Key, x: Tokens) -> tuple[Nats, tuple]:
        """-elbo per example, the mean of two draws; no evidence."""
        rng_time, rng_noise, rng_network = jax.random.split(rng, 3)
        steps, u = self.model.steps, bounds.stratified(rng_time, x.shape[0])
        process = self.model.open(params, train=True)
        s, t, slope = drawn_step(process.kernel, u, steps)
        x_t = process.corrupted(rng_noise, _twice(x), _twice(t))
        nats = slope * reinforced(process, rng_network, x, x_t, s, t, steps)
        return nats + bounds.end_term(process, x), ()


def reinforced(
    process: Process, rng: Key, x: Tokens, x_t: Pairs, s: Times, t: Times, steps: int | None
) -> Nats:
    """(f + f') / 2 of a pair of draws, with the gradient of their law."""
    rows, times = _twice(x), _twice(t)
    f = negative_term(process, rng, rows, x_t, _twice(s), times, steps)
    log_q = log_likelihood(process.kernel, rows, x_t, times)
    (f_1, f_2), (log_q_1, log_q_2) = jnp.split(f, 2), jnp.split(log_q, 2)
    score = 0.5 * jax.lax.stop_gradient(f_1 - f_2) * (log_q_1 - log_q_2)
    return 0.5 * (f_1 + f_2) + gradient_only(score)


class _MeanSquare:
    """The memory of an objective: a decayed mean of L², L the term of a row."""

    decay: float

    def init(self) -> Sums:
        """A decayed sum of L², and of the weights it was made with."""
        return {"square": jnp.zeros(()), "weight": jnp.zeros(())}

    def update(self, memory: Sums, evidence: Sums) -> Sums:
        """The decayed sums, after one more step."""
        new = {"square": evidence["square"] / evidence["count"], "weight": jnp.ones(())}
        return {k: self.decay * memory[k] + (1 - self.decay) * new[k] for k in memory}

    def _scale(self, memory: Sums) -> Number:
        """1 / E[L²]; 0 as long as that is not known."""
        known = memory["square"] > 0
        return jnp.where(known, memory["weight"] / jnp.where(known, memory["square"], 1.0), 0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class LeastVariance(_MeanSquare):
    """-elbo in continuous time for the network, and for a `LearnedSchedule` its variance.

    The bound's mean does not depend on the schedule, so the schedule gets no gradient of it, but
    that of log E[L²], L the term of a row: with the level held fixed it is
    -E[L² ∇ log p(level)] / E[L²], for which no draw has to be differentiated. One network
    evaluation (Kingma et al., 2021, sec. 5.1, where the gradient is of E[L²]). In terms of logits
    it is heights - (the shares that the bins have in E[L²]), of order 1 whatever the losses are.

    The memory holds a decayed mean of L²: in the first step the schedule stands still.
    """

    model: Diffusion
    decay: float = 0.99

    def __post_init__(self):
        """Raises ValueError for other kernels, and for discrete time."""
        _check_learns(self.model.kernel, "LeastVariance")
        if not isinstance(self.model.kernel, LearnedSchedule):
            raise ValueError(
                "LeastVariance is for a LearnedSchedule, whose mean bound is one for all "
                f"parameters; {type(self.model.kernel).__name__} changes the bound itself. Use "
                "LeaveOneOutReinforce."
            )
        if self.model.steps is not None:
            raise ValueError(
                "LeastVariance needs continuous time, where the bound does not depend on the "
                f"schedule; got steps={self.model.steps}. Use steps=None, or "
                "LeaveOneOutReinforce, or ImportanceSampledElbo and a schedule that is fixed."
            )

    def loss(self, params: Params, memory: Sums, rng: Key, x: Tokens) -> tuple[Nats, Sums]:
        """-elbo per example; the evidence is L², summed and counted."""
        rng_time, rng = jax.random.split(rng)
        rng_noise, rng_network = jax.random.split(rng)
        still = params | {"kernel": jax.lax.stop_gradient(params["kernel"])}
        process = self.model.open(still, train=True)
        t = bounds.stratified(rng_time, x.shape[0])
        x_t = process.corrupted(rng_noise, x, t)
        terms = negative_term(process, rng_network, x, x_t, t, t, None)
        square = jax.lax.stop_gradient(terms) ** 2
        evidence = {"square": square.sum(), "count": jnp.full((), x.shape[0], jnp.float32)}
        kernel = self.model.kernel
        assert isinstance(kernel, LearnedSchedule)  # or `__post_init__` had refused
        schedule = kernel.warped(params["kernel"])
        fall = -square * schedule.log_density(t) * self._scale(memory)
        return terms + bounds.end_term(process, x) + gradient_only(fall), evidence


@dataclasses.dataclass(frozen=True, eq=False)
class LeastVarianceOfLevels(_MeanSquare):
    """-elbo in continuous time of a Gaussian diffusion with its `noise_schedules.Learned`.

    The bound teaches the network and the ends, log E[L²] the pace, as in `LeastVariance`: with γ
    held fixed, of which the density is 1 / γ'(t).
    """

    model: GaussianDiffusion
    decay: float = 0.99

    def __post_init__(self):
        """Raises ValueError for levels without parameters, and for discrete time."""
        _check_learns(self.model.levels, "LeastVarianceOfLevels", "levels")
        if self.model.steps is not None:
            raise ValueError(
                "LeastVarianceOfLevels needs continuous time; in discrete time the bound itself "
                f"teaches the levels; got steps={self.model.steps}. Use NegativeElbo."
            )

    def loss(self, params: Params, memory: Sums, rng: Key, x: Tokens) -> tuple[Nats, Sums]:
        """-elbo per example; the evidence is L², summed and counted."""
        rng_time, rng_start, rng = jax.random.split(rng, 3)
        still = params | {"levels": noise_schedules.still(params["levels"])}
        process = self.model.open(still, train=True)
        t = bounds.stratified(rng_time, x.shape[0])
        terms = gaussian.bounds.rate(process, rng, x, t)
        square = jax.lax.stop_gradient(terms) ** 2
        evidence = {"square": square.sum(), "count": jnp.full((), x.shape[0], jnp.float32)}
        slope = log_slope(self.model.levels.open(params["levels"]), t)
        fall = gradient_only(square * slope * self._scale(memory))
        ends = gaussian.bounds.prior_kl(process, x) - gaussian.bounds.reconstruction(
            process, rng_start, x
        )
        return terms + ends + fall, evidence


def log_slope(gamma: Callable[[Floats], Floats], t: Times) -> Times:
    """log γ'(t), with the gradient that it has where γ(t) is held fixed, and not t."""
    level, slope = jax.jvp(gamma, (t,), (jnp.ones_like(t),))
    moved = t - gradient_only(level) / jax.lax.stop_gradient(slope)  # where γ is as before
    return jnp.log(jax.jvp(gamma, (moved,), (jnp.ones_like(t),))[1])


def log_likelihood(kernel: Kernel, x: Tokens, x_t: Tokens, t: Times) -> Nats:
    """log q_t(x_t | x), summed over the event."""
    q = categorical.gather(kernel.likelihood(x_t, jnp.zeros_like(t), t), x)
    return categorical.sum_event(categorical.log(q))


def _twice(a: Array) -> Array:
    """A, and once more after it: (B, ...) -> (2B, ...)."""
    return jnp.concatenate([a, a])


def _check_learns(part: object, name: str, kind: str = "a kernel") -> None:
    """Raises ValueError for a part without parameters."""
    if not isinstance(part, LearnedKernel):
        raise ValueError(
            f"{name} trains the parameters of {kind}; {type(part).__name__} has none. Use "
            "NegativeElbo, which costs less."
        )
