"""Guidance that samples what it says: towards known tokens, or a reward, by weighted particles.

Guidance at strength γ towards known tokens y stands for the law p(x) p(y | x)^γ / Z. Drawing
each token from p(x_i | ., y)^γ p(x_i | .)^(1 - γ), normalised, is classifier-free guidance (Ho and
Salimans, 2021), and samples another law, since the normaliser depends on what is known by then.
These normalisers are the weights that correct it.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Integer

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import base, mask_times, particles, time_grids
from amd_jax.diffusion.samplers.particles import Particles, PerParticle
from amd_jax.ops import categorical
from amd_jax.types import Array, Grid, Kernel, Key, LearnedKernel, Logits, Nats, Tokens

Reward = Callable[[Tokens], Nats]  # rows (B, ...) -> nats (B,), in JAX


@dataclasses.dataclass(frozen=True)
class Guided:
    """Samples p(x) p(y | x)^γ exp(reward(x)) / Z with masks, where y are the tokens that are held.

    Each call reveals one token, at a random place i, from a(k) = p(x_i = k | known, y)^γ
    p(x_i = k | known)^(1 - γ), normalised. A masked diffusion gives both laws: the second is the
    same network with y masked. The weight of a particle is ∏ Z_i, Z_i = Σ_k a(k), and exp(reward):
    of N particles one is drawn by weight, which is exact up to an error of order 1 / N, for a
    perfect network. With N = 1 it is plain classifier-free guidance: biased, however good the
    network. γ = 1 is the conditional law, γ = 0 ignores y, and without y it has to be 1. Of a
    process that holds some tokens, and then others (`Process.holding`), y are the others.

    On the way, particles are resampled where fewer than half are effective. For a reward they are
    weighted by that of a guess of all tokens, more and more, which does not change the law. A
    network whose conditionals do not fit each other has a law for each order of revealing; then
    it is the average over random orders that is sampled.
    """

    guidance: float = options.number(
        1.0, "power of p(given | rest): 1 is the conditional", least=0
    )
    particles: int = options.number(64, "draws of each row, of which weights choose one", least=1)
    reward: Reward | None = None
    name = "guided"

    def __post_init__(self):
        """Raises ValueError for a number that is out of its range."""
        options.check(self)

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """For masks only."""
        return kernels.is_masking(kernel)

    def times(self, steps: int | None) -> Grid:
        """Noise and data: its calls have times of their own."""
        return time_grids.grid(1)

    def __call__(self, process: Process, rng: Key, x: Tokens, times: Grid) -> Tokens:
        """x with its masks revealed.

        Raises ValueError for a reward that is no law; under `jit` such a row is -1 instead.
        """
        rng_walk, rng_choice = jax.random.split(rng)
        result = self.weighted(process, rng_walk, x)
        valid = jnp.isfinite(result.log_normalizer)
        if not isinstance(valid, jax.core.Tracer):
            check_weights(result)
        return jnp.where(categorical.expand(valid, x.ndim), result.drawn(rng_choice), -1)

    def weighted(self, process: Process, rng: Key, x: Tokens) -> Particles:
        """All particles of each row of x, with their weights.

        Where y is known, exp(log_normalizer) has the mean Σ_x p(x | y)^γ p(x)^(1 - γ) exp(reward).
        """
        if self.guidance != 1 and process.unconditional is None:
            raise ValueError(
                f"Guidance is towards known tokens; got guidance={self.guidance} and none known. "
                "Use `infill`, or guidance=1."
            )
        mask, count = process.kernel.num_classes, self.particles
        total = jnp.maximum(categorical.sum_event(x == mask), 1)
        even = jnp.zeros((count, len(x)))
        start = Particles(
            jnp.broadcast_to(x, (count, *x.shape)), even, jnp.full(len(x), float(count))
        )

        def reveal(carry: tuple[Array, Particles, PerParticle]) -> tuple:
            i, now, before = carry
            return i + 1, *self._reveal(process, jax.random.fold_in(rng, i), now, before, total)

        _, result, before = jax.lax.while_loop(
            lambda carry: (carry[1].x[0] == mask).any(), reveal, (jnp.array(0), start, even)
        )
        if self.reward is None:
            return result
        log_weights = result.log_weights + self.rewards(result.x) - before
        fewest = jnp.minimum(result.fewest, particles.effective(log_weights))
        return Particles(result.x, log_weights, fewest)

    def _reveal(
        self,
        process: Process,
        rng: Key,
        now: Particles,
        before: PerParticle,
        total: Integer[Array, "B"],
    ) -> tuple[Particles, PerParticle]:
        """The particles with one more token, and what of their reward is in the weights.

        A weight does not depend on the token that is drawn next: they are resampled before that,
        so that children of one parent differ.
        """
        rng_place, rng_parent, rng_token = jax.random.split(rng, 3)
        (x, log_weights, fewest), mask = now, process.kernel.num_classes
        masked = x[0] == mask  # at the same places in all particles
        place = masked & base.random_place(rng_place, masked.shape, among=masked)
        log_a = jax.vmap(lambda x: self.log_law(process, x))(x)
        log_z = jnp.where(place, jax.nn.logsumexp(log_a, axis=-1), 0.0)
        log_weights += jax.vmap(categorical.sum_event)(log_z)
        fewest = jnp.minimum(fewest, particles.effective(log_weights))
        log_weights, (x, log_a, before) = particles.resampled(
            rng_parent, log_weights, (x, log_a, before)
        )
        drawn = categorical.sample(rng_token, jax.nn.softmax(log_a, axis=-1)).astype(x.dtype)
        x = jnp.where(place, drawn, x)
        if self.reward is not None:
            share = 1 - categorical.sum_event(x[0] == mask) / total
            guess = self.rewards(jnp.where(x == mask, drawn, x))
            after = share * jnp.clip(guess, -BOUND, BOUND)
            log_weights, before = log_weights + after - before, after
        return Particles(x, log_weights, fewest), before

    def log_law(self, process: Process, x: Tokens) -> Logits:
        """log a of every token of x, γ log p(. | known, y) + (1 - γ) log p(. | known)."""
        conditional = _log_predict(process, x)
        free = process.unconditional
        if self.guidance == 1 or free is None:
            return conditional
        if process.given is not None:
            y = process.given >= 0 if free.given is None else process.given != free.given
            x = jnp.where(y & ~process.drawn_first(x), process.kernel.num_classes, x)
        unconditional = _log_predict(free, x)
        mixed = self.guidance * conditional + (1 - self.guidance) * unconditional
        return jnp.where(unconditional > categorical.NEVER / 2, mixed, categorical.NEVER)

    def rewards(self, x: Integer[Array, "N B *event"]) -> PerParticle:
        """The reward of every particle; NaN for what is no weight. ValueError for its shape."""
        assert self.reward is not None
        rows = x.reshape(-1, *x.shape[2:])
        result = jnp.asarray(self.reward(rows))
        if result.shape != rows.shape[:1]:
            raise ValueError(
                f"A reward is a number of nats for each row; got the shape {result.shape} for "
                f"rows {rows.shape}. Return ({len(rows)},)."
            )
        return jnp.where(result < jnp.inf, result, jnp.nan).reshape(x.shape[:2])


BOUND = 20.0  # nats of a guess's reward that count on the way; a guess must not rule a row out


def check_weights(result: Particles) -> None:
    """ValueError unless every row has a particle of positive weight."""
    bad = ~jnp.isfinite(result.log_normalizer)
    if bad.any():
        raise ValueError(
            "A reward is a number of nats, or -inf for what must not be; row "
            f"{int(bad.argmax())} has NaN or inf among its {len(result.x)} particles, or nothing "
            "but -inf. Correct the reward, or take more particles."
        )


def _log_predict(process: Process, x: Tokens) -> Logits:
    """The guess of x_0 as a logarithm, at the time at which so many tokens are masked."""
    return process.log_predict(x, mask_times.time_of(process, x))
