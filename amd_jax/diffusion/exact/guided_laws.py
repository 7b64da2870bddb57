"""The laws that guidance and rewards stand for, by enumeration, and those of N particles.

The latter are means over runs of the sampler, since all weights of N particles are too many to
enumerate; what is known of them by enumeration leaves little noise in it.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from amd_jax.diffusion.exact import certificates, enumeration
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers.guided import Guided
from amd_jax.diffusion.samplers.particles import Particles
from amd_jax.diffusion.samplers.twisted import Twisted
from amd_jax.types import Kernel, Key, Nats, Sampler, Tokens

Law = Float[np.ndarray, "..."]  # (K,) * L


GIVEN = (1, -1, -1)  # of `example`


@functools.cache
def example() -> Law:
    """A law of three tokens of three classes, drawn once, of which the first is then known."""
    return np.random.default_rng(14).dirichlet(np.ones(27)).reshape(3, 3, 3)


def reward(x: Tokens) -> Nats:
    """A reward for an example: of the sum of a row's tokens."""
    return 0.5 * x.sum(axis=-1)


class Estimate(NamedTuple):
    """A law as a mean over runs, and the standard error of each of its numbers."""

    law: Law
    error: Law


def target(sampler: Guided, data: Law, given: Sequence[int]) -> tuple[Law, float]:
    """The law p(x | y)^γ p(x)^(1 - γ) exp(reward(x)) / Z over rows that hold y, and Z.

    data (K,) * L is the law of rows; given (L,) is what is known of them, else -1.
    """
    places = tuple(i for i, token in enumerate(given) if token >= 0)
    held = np.zeros(data.shape)
    held[tuple(slice(None) if token < 0 else token for token in given)] = 1
    free = data.sum(axis=places, keepdims=True) * held
    conditional = data * held / (data * held).sum()
    ratio = np.divide(conditional, free, out=np.zeros(data.shape), where=free > 0)
    result = free * ratio**sampler.guidance
    if sampler.reward is not None:
        every = enumeration.sequences(len(data), data.ndim)
        nats = np.asarray(sampler.reward(jnp.asarray(every)), float)
        result = result * np.exp(nats).reshape(data.shape)
    return result / result.sum(), float(result.sum())


def law(
    sampler: Guided, kernel: Kernel, data: Law, given: Sequence[int], rng: Key, runs: int
) -> Estimate:
    """The law of one particle drawn by weight, with the exact guess."""
    held = jnp.tile(jnp.asarray(given), (runs, 1))
    process = certificates.exact(kernel, data).holding(held)
    start = process.held(jnp.full(held.shape, kernel.num_classes), held)
    result = jax.jit(lambda rng: sampler.weighted(process, rng, start))(rng)
    return estimate(result, *target(sampler, data, given))


def reweighted(
    sampler: Twisted, process: Process, length: int, steps: int | None
) -> tuple[Law, float]:
    """The law p(x) exp(reward(x)) / Z over `length` tokens, and Z.

    p is the enumerated law of the walk in a model of so many steps: nothing is drawn.
    """
    walk: Sampler = sampler.walk  # type: ignore[assignment]  # whose name its kind has
    law = certificates.law(walk, process, length, steps)
    every = enumeration.sequences(len(law), length)
    nats = np.asarray(sampler.reward(jnp.asarray(every)), float).reshape(law.shape)
    result = np.asarray(law, float) * np.exp(nats)
    return result / result.sum(), float(result.sum())


def twisted(
    sampler: Twisted, process: Process, length: int, steps: int | None, rng: Key, runs: int
) -> Estimate:
    """The law of one particle drawn by weight, of a process of any guess."""
    noise, times = process.draw_prior(rng, (runs, length)), sampler.times(steps)
    result = jax.jit(lambda rng: sampler.weighted(process, rng, noise, times))(rng)
    return estimate(result, *reweighted(sampler, process, length, steps))


def estimate(result: Particles, pi: Law, z: float) -> Estimate:
    """The law of one particle drawn by weight, by a run for each row of particles.

    With w the share of the weights on each row and Ẑ their mean, E[Ẑ w] / Z is the target π and
    E[Ẑ] is Z. So E[w] = π + E[(w - π)(1 - Ẑ / Z)]: both factors are of order N^(-1/2), and a run
    tells of the distance to π, of order 1 / N, with an error that is no larger.
    """
    weights = np.exp(np.asarray(result.log_weights, np.float64))  # (N, runs)
    runs = weights.shape[1]
    places = np.ravel_multi_index(tuple(np.moveaxis(np.asarray(result.x), -1, 0)), pi.shape)
    shares = np.zeros((runs, pi.size))
    np.add.at(shares, (np.arange(runs), places), weights / weights.sum(axis=0))
    each = (shares - pi.ravel()) * (1 - weights.mean(axis=0) / z)[:, None]
    error = each.std(axis=0) / runs**0.5
    return Estimate(pi + each.mean(axis=0).reshape(pi.shape), error.reshape(pi.shape))
