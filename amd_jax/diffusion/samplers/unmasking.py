"""Samplers that go from token to token: for masks, by order, by confidence or by hitting times.

With masks a guess depends on time only through what is known already, so what matters is which
tokens are revealed together: one at a time, in any order that looks at no more than what is
known, is exact by the chain rule if the guess is. With a guess that has errors the order matters.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer, Real

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import base, mask_times, time_grids
from amd_jax.ops import categorical
from amd_jax.types import (
    Array,
    Flags,
    Grid,
    Kernel,
    Key,
    LearnedKernel,
    PerToken,
    Probs,
    Times,
    Tokens,
)


@dataclasses.dataclass(frozen=True)
class Reveal(base.Sharpened):
    """A walk in which each call of the network reveals some of the masked tokens, for good.

    To add one: a frozen dataclass with a `name` and the method `chosen`.
    """

    @property
    def at_random(self) -> bool:
        """Whether places are chosen by chance, all alike."""
        return False

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """For masks only."""
        return kernels.is_masking(kernel)

    def times(self, steps: int | None) -> Grid:
        """Times at which its way may be looked at: its calls have times of their own."""
        return time_grids.grid(steps or 1000)

    def chosen(self, rng: Key, p_0: Probs, masked: Flags, most: Real[Array, "B"]) -> Flags:
        """Which tokens to reveal, of those masked, at most `most` of a row."""
        raise NotImplementedError

    def __call__(self, process: Process, rng: Key, x: Tokens, times: Grid) -> Tokens:
        """Reveals until no more are masked than there are at times[-1], on average."""
        kernel, mask = kernels.mixing(process.kernel), process.kernel.num_classes
        length = categorical.sum_event(~process.drawn_first(x))
        left = jnp.round(length * (1 - kernel.keep(jnp.zeros(1), jnp.full(1, times[-1]), 1)))

        def most(x: Tokens) -> Array:
            return categorical.sum_event(x == mask) - left

        def reveal(carry: tuple[Array, Array]) -> tuple[Array, Array]:
            i, x = carry
            rng_place, rng_token = jax.random.split(jax.random.fold_in(rng, i))
            masked = x == mask
            p_0 = self.sharpened(process, x, mask_times.time_of(process, x))
            now = self.chosen(rng_place, p_0, masked, most(x)) & masked
            return i + 1, jnp.where(now, categorical.sample(rng_token, p_0), x)

        start = (jnp.array(0), x)
        return jax.lax.while_loop(lambda carry: (most(carry[1]) > 0).any(), reveal, start)[1]


BY = ("probability", "margin", "entropy", "random", "left")


@dataclasses.dataclass(frozen=True)
class Confidence(Reveal):
    """Reveals the tokens that the network is surest of, the same number in every call.

    By the largest probability, by its margin over the second, or by the entropy (Chang et al.,
    2022, sec. 3.2; Kim et al., 2025, sec. 4); by chance, or from left to right. Exact with one
    token a call; those of one call are drawn independently, whatever their number: biased.
    """

    steps: int | None = options.number(
        None, "network calls; one for each token unless given", kind=int, least=1
    )
    by: str = options.number("probability", "which first", among=BY)
    name = "confidence"

    @property
    def at_random(self) -> bool:
        """Whether places are chosen by chance."""
        return self.by == "random"

    def count(self, length: int) -> int:
        """The tokens of a call, for data of so many."""
        return -(-length // (self.steps or length))

    def chosen(self, rng: Key, p_0: Probs, masked: Flags, most: Real[Array, "B"]) -> Flags:
        """The surest of each row, as many as it takes for `steps` calls."""
        score = scores(self.by, rng, p_0)
        rank = ranks(jnp.where(masked, -score, jnp.inf))
        count = jnp.minimum(most, self.count(masked[0].size))
        return rank < categorical.expand(count, rank.ndim)


@dataclasses.dataclass(frozen=True)
class EntropyBound(Reveal):
    """Reveals as many tokens at once as a bound on their dependence allows.

    Those of least entropy whose entropies sum, but for the largest, to gamma or less: a bound on
    KL(their joint law || the product of their laws). Biased by up to gamma nats a call; gamma = 0
    reveals one token a call, the surest, and is exact (Ben-Hamu et al., 2025, sec. 3).
    """

    gamma: float = options.number(0.1, "nats of dependence that a call may ignore", least=0)
    name = "entropy_bound"

    def chosen(self, rng: Key, p_0: Probs, masked: Flags, most: Real[Array, "B"]) -> Flags:
        """The surest, while the sum without the last is at most gamma."""
        entropy = jnp.where(masked, -scores("entropy", rng, p_0), jnp.inf)
        flat, rank = (a.reshape(len(a), -1) for a in (entropy, ranks(entropy)))
        rising = jnp.where(jnp.isinf(flat), 0.0, flat)
        rising = jnp.take_along_axis(rising, jnp.argsort(rank, axis=1), axis=1)
        before = jnp.take_along_axis(jnp.cumsum(rising, axis=1) - rising, rank, axis=1)
        return ((before <= self.gamma) & (rank < most[:, None])).reshape(masked.shape)


@dataclasses.dataclass(frozen=True)
class FirstHitting(Reveal):
    """Reveals one token at the very time at which the process does (Zheng et al., 2025, sec. 4).

    1 - α' = (1 - α) u^(1 / n) for n masked tokens, one of which, at random, is drawn from the
    guess: L calls at most. Exact.
    """

    name = "first_hitting"
    at_random = True

    def __call__(self, process: Process, rng: Key, x: Tokens, times: Grid) -> Tokens:
        """From times[0] to times[-1], one token after the other."""
        kernel, batch = kernels.mixing(process.kernel), x.shape[0]
        mask = kernel.num_classes

        def active(t: Times, x: Tokens) -> Array:
            return (t > times[-1]) & (categorical.sum_event(x == mask) > 0)

        def reveal(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            i, t, x = carry
            rng_time, rng_place, rng_token = jax.random.split(jax.random.fold_in(rng, i), 3)
            masked = x == mask
            count = jnp.maximum(categorical.sum_event(masked), 1)
            noise = 1 - kernel.keep(jnp.zeros(batch), t, 1)
            u = jax.random.uniform(rng_time, (batch,), minval=1e-7)
            s = mask_times.when(kernel, 1 - noise * u ** (1 / count))
            p_0 = self.sharpened(process, x, s)
            place = base.random_place(rng_place, x.shape, among=masked)
            now = place & categorical.expand(active(t, x) & (s > times[-1]), x.ndim)
            return i + 1, s, jnp.where(now, categorical.sample(rng_token, p_0), x)

        start = (jnp.array(0), jnp.full(batch, times[0]), x)
        return jax.lax.while_loop(lambda carry: active(*carry[1:]).any(), reveal, start)[2]


@dataclasses.dataclass(frozen=True)
class DNDM(base.Sharpened):
    """Draws when each token stops being noise, and calls the network only then.

    P(τ <= t) = 1 - α_t; at its τ a token is drawn from the guess, and stays (Chen et al., 2024).
    On masks the law of `Ancestral` on the same grid, exact with steps=None: a τ for every token.
    On uniform noise biased even with the exact guess and endless steps, since noise that equals
    its data is not distinguished: by 0.10 in total variation for `certificates.correlated`. Noise
    in sight mends that, with samplers from step to step: `augmented.AugmentedUniform`.
    """

    steps: int | None = options.number(
        None, "times at which tokens change; one for each token unless given", kind=int, least=1
    )
    name = "dndm"

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """For kernels that keep or redraw, with a prior that does not move."""
        return isinstance(kernel, kernels.Mixing)

    def times(self, steps: int | None) -> Grid:
        """Noise and data: what is between depends on when tokens change."""
        return time_grids.grid(1)

    def __call__(self, process: Process, rng: Key, x: Tokens, times: Grid) -> Tokens:
        """The whole walk; tokens that are no mask where there are masks stay."""
        kernel = kernels.mixing(process.kernel)
        rng_time, rng = jax.random.split(rng)
        u = jax.random.uniform(rng_time, (x.size,), minval=1e-7)
        tau = self.times_of_change(kernel, u).reshape(x.shape)
        if kernels.is_masking(kernel):
            tau = jnp.where(x == kernel.num_classes, tau, 0.0)

        def reveal(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            i, tau, x = carry
            t = tau.reshape(x.shape[0], -1).max(axis=1)
            p_0 = self.sharpened(process, x, t)
            now = (tau == categorical.expand(t, x.ndim)) & (tau > 0)
            drawn = categorical.sample(jax.random.fold_in(rng, i), p_0)
            x = process.held(jnp.where(now, drawn, x), x)
            return i + 1, jnp.where(now, 0.0, tau), x

        start = (jnp.array(0), tau, x)
        return jax.lax.while_loop(lambda carry: (carry[1] > 0).any(), reveal, start)[2]

    def times_of_change(self, kernel: kernels.Mixing, u: Float[Array, "N"]) -> Float[Array, "N"]:
        """The times τ at which α is u, at the end of their steps."""
        tau = mask_times.when(kernel, u)
        return tau if self.steps is None else jnp.ceil(tau * self.steps) / self.steps


def scores(by: str, rng: Key, p_0: Probs) -> PerToken:
    """How sure a guess is of each token, by one of BY: more is surer."""
    if by == "entropy":
        return (p_0 * categorical.log(p_0)).sum(axis=-1)
    if by == "margin":
        second, first = jnp.moveaxis(jnp.sort(p_0, axis=-1)[..., -2:], -1, 0)
        return first - second
    if by == "random":
        return jax.random.uniform(rng, p_0.shape[:-1])
    if by == "left":
        return jnp.broadcast_to(
            -jnp.arange(p_0[0, ..., 0].size).reshape(p_0.shape[1:-1]) * 1.0, p_0.shape[:-1]
        )
    return p_0.max(axis=-1)


def ranks(a: PerToken) -> Integer[Array, "B *event"]:
    """The place of each number among those of its row, from the smallest, 0."""
    flat = a.reshape(a.shape[0], -1)
    return jnp.argsort(jnp.argsort(flat, axis=1), axis=1).reshape(a.shape)
