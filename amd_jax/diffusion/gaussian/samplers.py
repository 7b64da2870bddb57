"""Samplers of Gaussian diffusion: ways from noise z_1 (B, ..., D) to z_0.

Each is a value with a name and its numbers (`options`), called with a process
(`gaussian.Process`), a key, z and the times (S + 1,) to walk, which fall within [0, 1].
"""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax import options
from amd_jax.diffusion.gaussian.process import (
    Points,
    Process,
    diffused,
    log_variance,
    noise_of,
    posterior_mean,
    renewed,
)
from amd_jax.diffusion.samplers import time_grids
from amd_jax.types import Array, Grid, Key, Times


@dataclasses.dataclass(frozen=True)
class _Walk:
    """A walk from time to time, one network call each: what both have in common."""

    steps: int | None = options.number(
        None, "network calls; the model's number of steps unless given", kind=int, least=1
    )
    spacing: time_grids.Spacing = time_grids.spacing()

    def __post_init__(self):
        """Raises ValueError for a number out of its range, or times that are no grid."""
        options.check(self)
        object.__setattr__(self, "steps", time_grids.agreed(self.steps, self.spacing))

    def times(self, steps: int | None) -> Grid:
        """Its grid. Raises ValueError for more steps than the model has."""
        return time_grids.walked(self.steps, self.spacing, steps)

    def step(self, process: Process, rng: Key, z_t: Points, s: Times, t: Times) -> Points:
        """A draw of z_s, at times s < t."""
        raise NotImplementedError

    def __call__(self, process: Process, rng: Key, x: Points, times: Grid) -> Points:
        """The walk of x, as one loop on the device."""

        def step(i: Array, z: Array) -> Points:
            t, s = (jnp.full(z.shape[0], times[j]) for j in (i, i + 1))
            return self.step(process, jax.random.fold_in(rng, i), z, s, t)

        return jax.lax.fori_loop(0, len(times) - 1, step, x)


@dataclasses.dataclass(frozen=True)
class Ancestral(_Walk):
    """Draws z_s from the model's own step, as its bound has it (Ho et al., 2020, alg. 2)."""

    name = "ancestral"

    def step(self, process: Process, rng: Key, z_t: Points, s: Times, t: Times) -> Points:
        """The mean of the posterior with the guess plugged in, and the model's variance."""
        guess = process.guess(z_t, t)
        s, t = process.level(s, z_t.ndim), process.level(t, z_t.ndim)
        spread = jnp.exp(0.5 * log_variance(process, guess.said, s, t))
        mean = posterior_mean(guess.clean, z_t, s, t)
        return mean + spread * jax.random.normal(rng, z_t.shape)


@dataclasses.dataclass(frozen=True)
class DDIM(_Walk):
    """z_s = α_s f̂ + sqrt(σ_s² - η² v) ε̂ + η sqrt(v) ε, v the variance of q(z_s | z_t, f).

    With eta=0 nothing is drawn on the way; eta=1 is `Ancestral` of small variance. Marginals are
    kept for a point, in the limit of many steps for all data (Song et al., 2021, eq. 12 and 16).
    """

    eta: float = options.number(0.0, "noise on the way, as a share of ancestral sampling's")
    name = "ddim"

    def __post_init__(self):
        """Raises ValueError for η outside [0, 1]."""
        super().__post_init__()
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must be in [0, 1]; got eta={self.eta}.")

    def step(self, process: Process, rng: Key, z_t: Points, s: Times, t: Times) -> Points:
        """The guess, its noise, and some noise anew."""
        f = process.guess(z_t, t).clean
        s, t = process.level(s, z_t.ndim), process.level(t, z_t.ndim)
        share = self.eta**2 * renewed(s, t)
        old, new = jnp.sqrt(1 - share), jnp.sqrt(share)
        eps = old * noise_of(z_t, f, t) + new * jax.random.normal(rng, z_t.shape)
        return diffused(f, eps, s)


ALL = (Ancestral(), DDIM())
