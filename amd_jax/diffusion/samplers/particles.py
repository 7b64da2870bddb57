"""Weighted particles: several draws of one row, whose weights make up for how they were drawn."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.ops import categorical
from amd_jax.types import Array, Key, Nats, Tokens

PerParticle = Float[Array, "N B"]


class Particles(NamedTuple):
    """N weighted draws of each of B rows: their weighted means are means over the target law.

    Sequential Monte Carlo (Doucet and Johansen, 2009): the mean weight is an unbiased estimate of
    the normaliser of the target, whatever N; one particle, drawn by weight, has the target law up
    to an error of order 1 / N.
    """

    x: Integer[Array, "N B *event"]
    log_weights: PerParticle
    fewest: Nats  # the smallest effective number of particles on the way

    @property
    def log_normalizer(self) -> Nats:
        """Log of the mean weight."""
        return jax.nn.logsumexp(self.log_weights, axis=0) - jnp.log(len(self.log_weights))

    def reweighted(self, log_factor: PerParticle) -> "Particles":
        """The particles with their weights multiplied by factors."""
        log_weights = self.log_weights + log_factor
        fewest = jnp.minimum(self.fewest, effective(log_weights))
        return Particles(self.x, log_weights, fewest)

    def drawn(self, rng: Key) -> Tokens:
        """One particle of each row, drawn by weight."""
        shares = shares_of(self.log_weights)
        return picked(self.x, categorical.sample(rng, shares.T)[None])[0]


def begin(
    process: Process, rng: Key, x: Tokens, number: int
) -> Integer[Array, "{number} B *event"]:
    """`number` particles of each row of x, each with noise of its own.

    Tokens that are given stay. If there are none, each particle draws anew what the support draws
    first, as the length of a line: one length for all would leave it out of the weights.
    """
    shape = (number * len(x), *x.shape[1:])
    if process.given is None:
        return process.draw_prior(rng, shape).reshape(number, *x.shape)
    noise = kernels.draw_prior(process.kernel, rng, shape).reshape(number, *x.shape)
    return jax.vmap(lambda noise: process.held(noise, x))(noise)


def shares_of(log_weights: PerParticle) -> PerParticle:
    """The weights of each row, divided by their sum."""
    return jax.nn.softmax(log_weights, axis=0)


def effective(log_weights: PerParticle) -> Nats:
    """How many particles of equal weight are worth as much: (Σ w)² / Σ w²."""
    return 1 / jnp.square(shares_of(log_weights)).sum(axis=0)


def resampled(
    rng: Key, log_weights: PerParticle, parents: tuple[Array, ...]
) -> tuple[PerParticle, tuple[Array, ...]]:
    """New particles of equal weight where fewer than half are effective; the others stay.

    `parents` are arrays (N, B, ...) that belong to the particles. By systematic resampling, the
    number of children of a particle is its expectation, rounded up or down at random.
    """
    number = len(log_weights)
    few = effective(log_weights) < number / 2
    chosen = jnp.where(few, systematic(rng, log_weights), jnp.arange(number)[:, None])
    mean = jax.nn.logsumexp(log_weights, axis=0) - jnp.log(number)
    return jnp.where(few, mean, log_weights), tuple(picked(a, chosen) for a in parents)


def systematic(rng: Key, log_weights: PerParticle) -> Integer[Array, "N B"]:
    """The parent of each new particle: N points at equal distance on the cumulative weights."""
    number, rows = log_weights.shape
    cdf = jnp.cumsum(shares_of(log_weights), axis=0)
    points = (jnp.arange(number)[:, None] + jax.random.uniform(rng, (rows,))) / number * cdf[-1]
    search = jax.vmap(lambda a, v: jnp.searchsorted(a, v, side="right"), in_axes=1, out_axes=1)
    last = (cdf < cdf[-1]).sum(axis=0)  # rounding must not choose a weight of 0
    return jnp.minimum(search(cdf, points), last)


def picked(a: Array, chosen: Integer[Array, "M B"]) -> Array:
    """Of each row the chosen particles: (N, B, ...), (M, B) -> (M, B, ...)."""
    index = chosen.reshape(chosen.shape + (1,) * (a.ndim - 2))
    return jnp.take_along_axis(a, index, axis=0)
