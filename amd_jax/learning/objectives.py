"""What the optimiser minimises. What is reported is always the bound (`evaluation/likelihood`)."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from amd_jax.diffusion import bounds, kernels
from amd_jax.diffusion.process import Process
from amd_jax.models import Diffusion, GaussianDiffusion
from amd_jax.ops import categorical
from amd_jax.types import Array, Flags, Floats, Kernel, Key, Model, Nats, Params, Times, Tokens

Means = dict[str, Float[Array, "T"]]  # of each step


class Memoryless:
    """The memory of an objective that remembers nothing."""

    def init(self) -> tuple:
        """Nothing to remember."""
        return ()

    def update(self, memory: tuple, evidence: tuple) -> tuple:
        """Nothing to update."""
        return memory


@dataclasses.dataclass(frozen=True, eq=False)
class NegativeElbo(Memoryless):
    """-elbo, for any model."""

    model: Model

    def loss(self, params: Params, memory: tuple, rng: Key, x: Tokens) -> tuple[Nats, tuple]:
        """-elbo per example; no evidence."""
        return -self.model.elbo(params, rng, x, train=True), ()


@dataclasses.dataclass(frozen=True, eq=False)
class ImportanceSampledElbo:
    """-elbo of a diffusion with step i drawn in proportion to sqrt(E[L_i²]).

    The memory holds, per step, a decayed mean of L_i² and a count. Steps are drawn uniformly until
    each was seen more than 10 times; the decoder's step, whose losses are rare and large, takes
    the weight of its neighbour. Nichol and Dhariwal, 2021, sec. 3.3; Hoogeboom et al., 2021.
    """

    model: Diffusion
    decay: float = 0.9
    min_count: int = 10

    def __post_init__(self):
        """Raises ValueError for a model in continuous time."""
        self.model.number_of_steps()

    def init(self) -> Means:
        """Mean squares and counts of steps 1 … T, all zero."""
        steps = self.model.number_of_steps()
        return {"square": jnp.zeros(steps), "count": jnp.zeros(steps)}

    def probabilities(self, memory: Means) -> Float[Array, "T"]:
        """The law of the step."""
        steps = self.model.number_of_steps()
        root = jnp.sqrt(memory["square"] + 1e-10) + 1e-4
        root = root.at[0].set(root[min(1, steps - 1)])
        warm = (memory["count"] > self.min_count).all()
        return jnp.where(warm, categorical.normalize(root), 1 / steps)

    def loss(self, params: Params, memory: Means, rng: Key, x: Tokens) -> tuple[Nats, Means]:
        """L_i / q(i) + end_term per example; the evidence is L_i² by step."""
        rng_time, rng = jax.random.split(rng)
        law, steps = self.probabilities(memory), self.model.number_of_steps()
        u = bounds.stratified(rng_time, x.shape[0])
        i = jnp.searchsorted(jnp.cumsum(law), u, side="right").clip(0, steps - 1)
        process = self.model.open(params, train=True)
        nats = bounds.step_term(process, rng, x, i + 1, steps)
        empty = jnp.zeros(steps)
        square = jax.lax.stop_gradient(nats) ** 2
        evidence = {"square": empty.at[i].add(square), "count": empty.at[i].add(1.0)}
        return nats / law[i] + bounds.end_term(process, x), evidence

    def update(self, memory: Means, evidence: Means) -> Means:
        """The decayed means; n losses of one step count as n updates with their mean."""
        count = evidence["count"]
        fade = self.decay**count
        mean = evidence["square"] / jnp.maximum(count, 1.0)
        square = fade * memory["square"] + (1 - fade) * mean
        return {"square": square, "count": memory["count"] + count}


@dataclasses.dataclass(frozen=True, eq=False)
class CrossEntropy(Memoryless):
    """Cross-entropy of the clean tokens at all positions and times: lower variance than the bound.

    For a denoiser that cannot see its own token (`leave_one_out`) it is that of its guess
    p(x_0 | rest), with the same minimiser as the bound. A denoiser that can would minimise that by
    copying, so there it is that of the denoising posterior, normalise(guess ⊙ q(x_t | x_0 = ·)).
    `posterior=None` chooses by the denoiser; the wrong choice raises ValueError.

    With `known`, such as `random_known`, some tokens of each row are given: they stay clean, a
    denoiser that `sees_known` is told which, and the loss is of the others.

    With `in_order` that share of each batch is learnt from left to right instead, each token from
    those before it, by a model of masks that is `two_sided`: in that order the same network then
    needs about the bits of an autoregressive one (`models.code_lengths`). There, tokens that
    `hidden` picks, such as `first_hidden`, are masks for those after them, too.
    """

    model: Diffusion | GaussianDiffusion
    posterior: bool | None = None
    warp: Callable[[Times], Times] = lambda u: u  # u uniform in [0, 1) -> t: which times to train
    known: Callable[[Key, tuple[int, ...]], Flags] | None = None  # of rng, (B, ...)
    in_order: float = 0.0
    hidden: Callable[[Key, tuple[int, ...]], Flags] | None = None  # of rng, (B, L)

    def __post_init__(self):
        """Raises ValueError where a guess has seen the answer, or does not see what is known."""
        if self.posterior is False and not self.model.leave_one_out:
            raise ValueError(
                "CrossEntropy of the guess itself needs a denoiser that cannot see its own token; "
                f"{type(self.model.denoiser).__name__} can, and would learn to copy it. "
                "Use posterior=True, or a leave_one_out network such as networks.Hollow."
            )
        if self.known is not None and not self.model.sees_known:
            raise ValueError(
                "Tokens are known to a denoiser that sees which; "
                f"{type(self.model.denoiser).__name__} does not. Build it with sees_known=True."
            )
        if not 0 <= self.in_order <= 1:
            raise ValueError(f"in_order is a share in [0, 1]; got {self.in_order}. Try 0.5.")
        if not self.in_order:
            if self.hidden is not None:
                raise ValueError("Tokens are hidden from those after them in order: set in_order.")
            return
        if not (isinstance(self.model, Diffusion) and self.model.two_sided):
            raise ValueError(
                f"in_order={self.in_order} needs masks, and a network that takes what stands "
                "after a position apart. Use networks.Hollow(sees_time=False), or in_order=0."
            )
        if self.posterior or self.known is not None:
            raise ValueError(
                f"in_order={self.in_order} is for the guess of all tokens: without "
                "posterior=True, and without known. Use in_order=0 for those."
            )

    def loss(self, params: Params, memory: tuple, rng: Key, x: Tokens) -> tuple[Nats, tuple]:
        """Cross-entropy per example at one time; no evidence."""
        rng_time, rng_noise, rng_dropout, rng_known = jax.random.split(rng, 4)
        t = self.warp(bounds.stratified(rng_time, x.shape[0]))
        process = self.model.open(params, train=True)
        if self.known is not None:
            assert isinstance(process, Process)  # no other model `sees_known`
            process = process.holding(jnp.where(self.known(rng_known, x.shape), x, -1))
        x_t = process.corrupted(rng_noise, x, t)
        more = {}
        if self.in_order:
            assert isinstance(process, Process)  # no other model is `two_sided`
            rows = spread(jax.random.fold_in(rng, 4), len(x), self.in_order)[:, None]
            before, masked = x, process.masked(x)
            if self.hidden is not None:
                hidden = self.hidden(jax.random.fold_in(rng, 5), x.shape)
                before = jnp.where(hidden, masked, x)
            x_t, more["after"] = (jnp.where(rows, a, x_t) for a in (before, masked))
        posterior = not self.model.leave_one_out if self.posterior is None else self.posterior
        if posterior:
            return -categorical.sum_event(process.log_denoised_of(x, x_t, t, rng_dropout)), ()
        log_p = process.log_predict(x_t, t, rng_dropout, **more)
        return -categorical.sum_event(categorical.gather(log_p, x)), ()


@dataclasses.dataclass(frozen=True, eq=False)
class HybridElbo(NegativeElbo):
    """-elbo of a diffusion, with the gradient of -elbo + weight E[-log p(x_0 | x_t)].

    The second term is the cross-entropy of the clean tokens at the same x_t, in the same network
    call, summed over the event (Austin et al., 2021, eq. 5). It is that of the denoising
    posterior, normalise(guess ⊙ q(x_t | x_0 = ·)), whose minimiser is the bound's. Theirs is of
    the guess itself, which would teach a network that sees its own token to copy it. They give
    λ = 0.001 for pictures; their released code has λ beside the one term L_i that is drawn, so
    here it is a weight of λ T.
    """

    model: Diffusion
    weight: float = 0.001

    def __post_init__(self):
        """Raises ValueError for a weight below 0."""
        if self.weight < 0:
            raise ValueError(f"weight must be at least 0; got {self.weight}. Try 0.001.")

    def loss(self, params: Params, memory: tuple, rng: Key, x: Tokens) -> tuple[Nats, tuple]:
        """-elbo per example, of the draws that the model's elbo makes."""
        rng_time, rng = jax.random.split(rng)
        rng_noise, rng_network = jax.random.split(rng)
        steps, u = self.model.steps, bounds.stratified(rng_time, x.shape[0])
        process = self.model.open(params, train=True)
        s, t, slope = drawn_step(process.kernel, u, steps)
        x_t = process.corrupted(rng_noise, x, t)
        nats, clean = hybrid_terms(process, rng_network, x, x_t, s, t, steps)
        prior = bounds.end_term(process, x)
        return slope * nats + prior + gradient_only(self.weight * slope * clean), ()


def drawn_step(kernel: Kernel, u: Times, steps: int | None) -> tuple[Times, Times, Times]:
    """Times s <= t for u uniform in [0, 1), and the weight of their term.

    The ends of one of T steps; with steps=None s = t, at the pace of the kernel.
    """
    if steps is None:
        t, slope = kernels.paced(kernel, u)
        return t, t, slope
    return *bounds.ends(bounds.steps_at(u, steps), steps), jnp.ones_like(u)


def hybrid_terms(
    process: Process, rng: Key, x: Tokens, x_t: Tokens, s: Times, t: Times, steps: int | None
) -> tuple[Nats, Nats]:
    """`negative_term`, and -log p(x_0 | x_t), of one guess."""
    log_p = process.log_predict(x_t, t, rng)
    guessed = dataclasses.replace(process, log_predict=lambda x_t, t, rng=None: log_p)
    log_clean = guessed.log_denoised_of(x, x_t, t)
    nats = negative_term(guessed, rng, x, x_t, s, t, steps)
    return nats, -categorical.sum_event(log_clean)


def negative_term(
    process: Process, rng: Key, x: Tokens, x_t: Tokens, s: Times, t: Times, steps: int | None
) -> Nats:
    """The term of -elbo for x_t at time t, without `end_term`.

    T L_i of the step from t to s; with steps=None the limit of many steps, where s is not read.
    If the network does not see the own token, its mean over that token.
    """
    if steps is None:
        return bounds.rate_of(process, rng, x, x_t, t)
    return steps * bounds.term_of(process, rng, x, x_t, s, t)


def gradient_only(a: Floats) -> Floats:
    """Zero, with the gradient of `a`."""
    return a - jax.lax.stop_gradient(a)


def mostly_before(limit: float) -> Callable[[Times], Times]:
    """Times for quick training: nine in ten in [0, limit), where context helps, one anywhere.

    A function of u in [0, 1) to t in [0, 1); ValueError for a limit outside (0, 1].
    """
    if not 0 < limit <= 1:
        raise ValueError(f"mostly_before must be in (0, 1], as times are; got {limit}. Try 0.6.")
    return lambda u: jnp.where(u < 0.9, u / 0.9 * limit, (u - 0.9) / 0.1)


mostly_early = mostly_before(0.8)


def spread(rng: Key, number: int, share: float) -> Bool[Array, "{number}"]:
    """Which of a number of rows are among a share of them: any row as likely as another.

    Neighbours in a batch differ, by steps of the golden ratio, so that they, whose times are near
    each other, are not all on one side.
    """
    place = jax.random.uniform(rng) + jnp.arange(number) * (5**0.5 - 1) / 2
    return place % 1 < share


def random_known(rng: Key, shape: tuple[int, ...]) -> Flags:
    """Tokens to know in training: none in a quarter of the rows, else a share in [0, 1) of them.

    Each number of known tokens is about equally likely.
    """
    rng_share, rng_token = jax.random.split(rng)
    share = 4 / 3 * jax.random.uniform(rng_share, shape[:1]) - 1 / 3
    return jax.random.uniform(rng_token, shape) < categorical.expand(share, len(shape))


def first_hidden(share: float) -> Callable[[Key, tuple[int, int]], Flags]:
    """The first token of a share of the rows: a label that is dropped at random.

    So the network learns the rest without it, too, as guidance needs (Ho and Salimans, 2021, sec.
    3.2). ValueError for a share outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"label_dropout is a share in [0, 1]; got {share}. Try 0.2.")

    def hidden(rng: Key, shape: tuple[int, int]) -> Flags:
        return spread(rng, shape[0], share)[:, None] & (jnp.arange(shape[1]) == 0)

    return hidden
