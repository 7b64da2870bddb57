"""Guidance that samples what it says: towards known tokens, or a reward, by weighted particles.

Guidance at strength γ towards known tokens y stands for the law p(x) p(y | x)^γ / Z. Drawing
each token from p(x_i | ., y)^γ p(x_i | .)^(1 - γ), normalised, is classifier-free guidance (Ho and
Salimans, 2021), and samples another law, since the normaliser depends on what is known by then.
These normalisers are the weights that correct it.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Integer

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import base, mask_times, particles, rewards, time_grids, unmasking
from amd_jax.diffusion.samplers.particles import Particles, PerParticle
from amd_jax.diffusion.samplers.rewards import Reward
from amd_jax.ops import categorical
from amd_jax.types import Array, Grid, Kernel, Key, LearnedKernel, Logits, Tokens


@dataclasses.dataclass(frozen=True)
class Guided:
    """Samples p(x) p(y | x)^γ exp(reward(x)) / Z with masks, where y are the tokens that are held.

    Each call reveals one token, at a random place i or the leftmost one, from a(k) = p(x_i = k |
    known, y)^γ p(x_i = k | known)^(1 - γ), normalised. A masked diffusion gives both laws: the
    second is the same network with y masked. The weight of a particle is ∏ Z_i, Z_i = Σ_k a(k),
    and exp(reward): of N particles one is drawn by weight, which is exact up to an error of order
    1 / N, for a perfect network. With N = 1 it is plain classifier-free guidance: biased, however
    good the network. γ = 1 is the conditional law, γ = 0 ignores y, and without y it has to be 1.
    Of a process that holds some tokens, and then others (`Process.holding`), y are the others.

    On the way, particles are resampled where fewer than half are effective. For a reward they are
    weighted by that of a guess of all tokens, more and more, which does not change the law. A
    network whose conditionals do not fit each other has a law for each order of revealing, each
    with a normaliser of its own. In random order, rows that are picked follow the mean of the
    normalised laws; weighted means over particles follow the sum of all, normalised as a whole.
    """

    guidance: float = options.number(
        1.0, "power of p(given | rest): 1 is the conditional", least=0
    )
    particles: int = options.number(64, "draws of each row, of which weights choose one", least=1)
    reward: Reward | None = None
    reveal: str = options.number("random", "which first", among=("random", "left"))
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
        return rewards.choose(rng_choice, self.weighted(process, rng_walk, x))

    def weighted(self, process: Process, rng: Key, x: Tokens) -> Particles:
        """All particles of each row of x, with their weights.

        Where y is known, exp(log_normalizer) has the mean Σ_x p(x | y)^γ p(x)^(1 - γ) exp(reward).
        Where nothing is held, every particle draws its own length of a line.
        """
        rng_start, rng_walk = jax.random.split(rng)
        start = particles.begin(process, rng_start, x, self.particles)
        revealed = (x != process.kernel.num_classes) & ~process.drawn_first(x)
        return self.walked(process, rng_walk, jnp.where(revealed, x, start))

    def walked(self, process: Process, rng: Key, x: Integer[Array, "N B *event"]) -> Particles:
        """Particles x of equal weight, with their masks revealed, and their weights then.

        Particles of one row may differ in what is drawn before all masks, as the length of a line.
        """
        if self.guidance != 1 and process.unconditional is None:
            raise ValueError(
                f"Guidance is towards known tokens; got guidance={self.guidance} and none known. "
                "Use `infill`, or guidance=1."
            )
        mask, even = process.kernel.num_classes, jnp.zeros(x.shape[:2])
        start = Particles(x, even, jnp.full(x.shape[1], float(len(x))))

        def reveal(carry: tuple[Array, Particles, PerParticle]) -> tuple:
            i, now, before = carry
            return i + 1, *self._reveal(process, jax.random.fold_in(rng, i), now, before)

        _, result, before = jax.lax.while_loop(
            lambda carry: (carry[1].x == mask).any(), reveal, (jnp.array(0), start, even)
        )
        if self.reward is None:
            return result
        return result.reweighted(rewards.of(self.reward, result.x) - before)

    def _reveal(
        self, process: Process, rng: Key, now: Particles, before: PerParticle
    ) -> tuple[Particles, PerParticle]:
        """The particles with one more token, and what of their reward is in the weights.

        A weight does not depend on the token that is drawn next: they are resampled before that,
        so that children of one parent differ. Particles of a row reveal their places in one order.
        """
        rng_place, rng_parent, rng_token = jax.random.split(rng, 3)
        x, mask = now.x, process.kernel.num_classes
        masked = x == mask
        log_a = jax.vmap(lambda x: self.log_law(process, x))(x)
        score = jax.vmap(lambda a: unmasking.scores(self.reveal, rng_place, a))(log_a)
        place = jax.vmap(base.best_place)(score, masked)
        log_z = jnp.where(place & masked, jax.nn.logsumexp(log_a, axis=-1), 0.0)
        now = now.reweighted(jax.vmap(categorical.sum_event)(log_z))
        log_weights, (x, log_a, before, place) = particles.resampled(
            rng_parent, now.log_weights, (x, log_a, before, place)
        )
        drawn = categorical.sample(rng_token, jax.nn.softmax(log_a, axis=-1)).astype(x.dtype)
        guess = jnp.where(x == mask, drawn, x)
        x = jnp.where(place & (x == mask), drawn, x)
        if self.reward is not None:
            hidden, noisy = x == mask, ~process.known(x)
            left, total = (jax.vmap(categorical.sum_event)(a) for a in (hidden, noisy))
            after = rewards.of_guess(self.reward, guess, 1 - left / jnp.maximum(total, 1))
            log_weights, before = log_weights + after - before, after
        return Particles(x, log_weights, now.fewest), before

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


def _log_predict(process: Process, x: Tokens) -> Logits:
    """The guess of x_0 as a logarithm, at the time at which so many tokens are masked."""
    return process.log_predict(x, mask_times.time_of(process, x))
