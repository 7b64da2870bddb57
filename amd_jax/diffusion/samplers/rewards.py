"""Rewards of rows, which weigh particles: on the way that of a guess, at the end their own."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.diffusion.samplers.particles import Particles, PerParticle
from amd_jax.ops import categorical
from amd_jax.types import Array, Key, Nats, Tokens

Reward = Callable[[Tokens], Nats]  # rows (B, ...) -> nats (B,), in JAX
BOUND = 20.0  # nats of a guess's reward that count on the way; a guess must not rule a row out


def of(reward: Reward, x: Integer[Array, "N B *event"]) -> PerParticle:
    """The reward of every particle; NaN for NaN and inf, which are no weights.

    Raises:
        ValueError: for a result that is not a number for each row, or a function that JAX cannot
            trace.
    """
    rows = x.reshape(-1, *x.shape[2:])
    try:
        result = jnp.asarray(reward(rows))
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        raise ValueError(
            "A reward is a function in JAX, compiled with the sampler; this one needs the rows "
            "as numbers. Use jax.numpy, or wrap it in jax.pure_callback."
        ) from error
    if result.shape != rows.shape[:1]:
        raise ValueError(
            f"A reward is a number of nats for each row; got the shape {result.shape} for "
            f"rows {rows.shape}. Return ({len(rows)},)."
        )
    return jnp.where(result < jnp.inf, result, jnp.nan).reshape(x.shape[:2])


def of_guess(
    reward: Reward, guess: Integer[Array, "N B *event"], share: Float[Array, "*#shape"]
) -> PerParticle:
    """The share of a guess's reward that weighs a particle on the way, bounded."""
    return share * jnp.clip(of(reward, guess), -BOUND, BOUND)


def choose(rng: Key, result: Particles) -> Tokens:
    """One particle of each row, drawn by weight.

    Raises ValueError for a reward that is no law; under `jit` such a row is -1 instead.
    """
    valid = jnp.isfinite(result.log_normalizer)
    if not isinstance(valid, jax.core.Tracer):
        check(result.log_normalizer, len(result.x))
    return jnp.where(categorical.expand(valid, result.x.ndim - 1), result.drawn(rng), -1)


def check(log_normalizer: Nats, particles: int) -> None:
    """ValueError unless every row has a particle of positive weight."""
    bad = ~jnp.isfinite(log_normalizer)
    if bad.any():
        raise ValueError(
            "A reward is a number of nats, or -inf for what must not be; row "
            f"{int(bad.argmax())} has NaN or inf among its {particles} particles, or nothing "
            "but -inf. Correct the reward, or take more particles."
        )
