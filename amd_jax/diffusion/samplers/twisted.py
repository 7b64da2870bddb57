"""Rewards with any noise: particles of a walk from step to step, twisted towards the reward."""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import particles, rewards
from amd_jax.diffusion.samplers.ancestral import Ancestral
from amd_jax.diffusion.samplers.base import Steps
from amd_jax.diffusion.samplers.particles import Particles, PerParticle
from amd_jax.diffusion.samplers.rewards import Reward
from amd_jax.ops import categorical
from amd_jax.types import Array, Grid, Kernel, Key, LearnedKernel, Probs, Times, Tokens


@dataclasses.dataclass(frozen=True)
class Twisted:
    """Samples p(x) exp(reward(x)) / Z, where p is the law of what a walk of steps draws.

    For any noise: uniform noise, masks, and others. Particles take the steps of the walk. On the
    way they are weighted by the reward of a guess of x_0, more and more, and resampled where fewer
    than half are effective; at the end by the reward itself, so that the guesses do not change
    the law (twisted particles; Wu et al., 2023, sec. 3). Of N particles one is drawn by weight:
    exact up to an error of order 1 / N, for every network and every number of steps. The network
    and the steps decide how near p is to the law of the data, as without a reward.

    reward = γ log p(y | x), of a classifier that knows clean rows, is guidance of strength γ:
    p(x) p(y | x)^γ / Z. With tokens that are given, p is the law of what the walk fills in.

    The walk is a sampler that goes from step to step and remembers nothing else: of those of the
    library all but `Remasking`. A walk in parts (`Diffusion.walk`) is twisted in each part, and
    not exact as a whole.
    """

    reward: Reward
    particles: int = options.number(64, "draws of each row, of which weights choose one", least=1)
    walk: Steps = Ancestral()
    name = "twisted"

    def __post_init__(self):
        """Raises ValueError for a number out of its range, or a walk that is not of steps."""
        options.check(self)
        if type(self.walk).__call__ is not Steps.__call__:
            raise ValueError(
                "Twisted weighs the steps of a sampler that goes from step to step; got "
                f"{type(self.walk).__name__}. Use Ancestral."
            )

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """Whether the walk is for this kernel."""
        return self.walk.admits(kernel)

    def times(self, steps: int | None) -> Grid:
        """The times of the walk."""
        return self.walk.times(steps)

    def __call__(self, process: Process, rng: Key, x: Tokens, times: Grid) -> Tokens:
        """x walked from times[0] to times[-1].

        Raises ValueError for a reward that is no law; under `jit` such a row is -1 instead.
        """
        rng_walk, rng_choice = jax.random.split(rng)
        return rewards.choose(rng_choice, self.weighted(process, rng_walk, x, times))

    def weighted(self, process: Process, rng: Key, x: Tokens, times: Grid) -> Particles:
        """All particles of each row of x, with their weights, whose mean has the mean Z.

        At time 1 each begins with noise of its own, and with a length of its own if nothing is
        given; later with x.
        """
        rng_start, rng_walk = jax.random.split(rng)
        start = particles.begin(process, rng_start, x, self.particles)
        start = jnp.where(times[0] < 1, x, start)
        even = jnp.zeros(start.shape[:2])
        now = Particles(start, even, jnp.full(len(x), float(self.particles)))

        def step(i: Array, carry: tuple[Particles, PerParticle]) -> tuple[Particles, PerParticle]:
            t, s = (jnp.full(len(x), times[j]) for j in (i, i + 1))
            return self._step(process, jax.random.fold_in(rng_walk, i), *carry, s, t)

        now, before = jax.lax.fori_loop(0, len(times) - 1, step, (now, even))
        rest = rewards.of(self.reward, now.x) - before
        return now.reweighted(jnp.where(times[-1] > 0, 0.0, rest))  # before 0 they are noisy

    def _step(
        self, process: Process, rng: Key, now: Particles, before: PerParticle, s: Times, t: Times
    ) -> tuple[Particles, PerParticle]:
        """The particles at s, and what of their reward is in the weights.

        One guess of the network gives the twist at t and the step to s. Particles are resampled
        between the two, so that children of one parent differ.
        """
        rng_guess, rng_parent, rng_step = jax.random.split(rng, 3)
        number, guess, walk_on = len(now.x), self._guess, self.walk.walk_on
        p_0 = jax.vmap(lambda x: self.walk.guess(process, x, t))(now.x)
        x_0 = jax.vmap(lambda rng, p_0, x: guess(process, rng, p_0, x, t))(
            jax.random.split(rng_guess, number), p_0, now.x
        )
        twist = rewards.of_guess(self.reward, x_0, 1 - t)
        now = now.reweighted(twist - before)
        log_weights, (x, p_0, twist) = particles.resampled(
            rng_parent, now.log_weights, (now.x, p_0, twist)
        )
        x = jax.vmap(lambda rng, p_0, x: walk_on(process, rng, p_0, x, s, t))(
            jax.random.split(rng_step, number), p_0, x
        )
        return Particles(x, log_weights, now.fewest), twist

    def _guess(self, process: Process, rng: Key, p_0: Probs, x: Tokens, t: Times) -> Tokens:
        """A guess of x_0 of each row: every token drawn from its law given all of x."""
        law = kernels.denoising_posterior(process.kernel, p_0, x, t).law
        return process.held(categorical.sample(rng, law).astype(x.dtype), x)
