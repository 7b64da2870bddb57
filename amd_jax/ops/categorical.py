"""Categorical distributions as arrays of probabilities, category axis last."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Integer, Real, Shaped

from amd_jax.types import Array, Batch, Floats, Key, Nats

FLOOR = 1e-30  # the smallest probability that `log` tells from zero
MANY = 1024  # so many states are drawn from in two stages
BLOCKS = 64  # of the first stage
CLASSES = "shards"  # the axis of a mesh whose devices share the states
NEVER = -1e6  # the log-probability of what cannot be: finite, so that 0 * NEVER is 0


def one_hot(
    x: Integer[Array, "*shape"], num_classes: int, dtype: DTypeLike = jnp.float32
) -> Shaped[Array, "*shape K"]:
    """Indicator of each token."""
    return shared(x[..., None] == jnp.arange(num_classes)).astype(dtype)


def shared(a: Shaped[Array, "*shape K"]) -> Shaped[Array, "*shape K"]:
    """The array itself, in a mesh with the axis `CLASSES` divided among the devices of that.

    So no device holds all states, whether or not their number is a multiple of the devices'.
    """
    if CLASSES not in jax.sharding.get_abstract_mesh().axis_names:
        return a
    anyhow = [jax.sharding.PartitionSpec.UNCONSTRAINED] * (a.ndim - 1)
    return jax.lax.with_sharding_constraint(a, jax.sharding.PartitionSpec(*anyhow, CLASSES))


def log(p: Floats) -> Floats:
    """log p, with p floored at 1e-30 so that it and two derivatives of it stay finite."""
    possible = p > FLOOR
    return jnp.where(possible, jnp.log(jnp.where(possible, p, 1.0)), jnp.log(FLOOR))


def log_or_never(p: Floats) -> Floats:
    """log p, and `NEVER` where p is 0."""
    possible = p > 0
    return jnp.where(possible, jnp.log(jnp.where(possible, p, 1.0)), NEVER)


def log_softmax(
    logits: Float[Array, "*shape K"], possible: Bool[Array, "*#shape K"]
) -> Float[Array, "*shape K"]:
    """Log of the softmax over the possible states, `NEVER` elsewhere."""
    result = jax.nn.log_softmax(shared(logits), axis=-1, where=possible)
    return jnp.where(possible, result, NEVER)


def normalize(p: Float[Array, "*shape K"]) -> Float[Array, "*shape K"]:
    """p divided by its sum over the last axis; all zeros stay zeros."""
    return p / jnp.maximum(p.sum(axis=-1, keepdims=True), FLOOR)


def positive(p: Floats) -> Floats:
    """p without what rounding made negative; at 0 its derivative is 1, that of `maximum` 1/2."""
    return jnp.where(p < 0, 0.0, p)


def kl(p: Float[Array, "*shape K"], q: Float[Array, "*#shape K"]) -> Floats:
    """KL(p || q) in nats over the last axis."""
    return (p * (log(p) - log(q))).sum(axis=-1)


def kl_of_log_odds(a: Floats, b: Floats) -> Floats:
    """KL(Bernoulli(σ(a)) || Bernoulli(σ(b))) in nats, elementwise, for a and b of any size."""
    cross = jax.nn.sigmoid(a) * (jax.nn.softplus(-b) - jax.nn.softplus(-a))
    return cross + jax.nn.sigmoid(-a) * (jax.nn.softplus(b) - jax.nn.softplus(a))


def gather(p: Float[Array, "*#shape K"], x: Integer[Array, "*#shape"]) -> Floats:
    """p[x] over the last axis.

    A masked sum: its gradient is a mask too, where that of an indexed read is a slow scatter.
    """
    return jnp.where(one_hot(x, p.shape[-1], dtype=bool), p, 0).sum(axis=-1)


def sample(rng: Key, p: Float[Array, "*shape K"]) -> Integer[Array, "*shape"]:
    """One draw per row by the inverse CDF; p need not be normalised.

    Exact to float32's resolution of u, 2^-23: draw events rarer than that in two parts, as
    `kernels.step_back` does. Of `MANY` states and more it draws a block of them first, by the
    blocks' sums, so that no cumulative sum runs over all.
    """
    number = p.shape[-1]
    if number < MANY:
        cdf = jnp.cumsum(p, axis=-1)
        u = jax.random.uniform(rng, p.shape[:-1] + (1,)) * cdf[..., -1:]
        return (cdf <= u).sum(axis=-1, dtype=jnp.int32).clip(0, number - 1)
    size = -(-number // BLOCKS)
    padding = [(0, 0)] * (p.ndim - 1) + [(0, BLOCKS * size - number)]

    def in_blocks(a: Float[Array, "*shape K"]) -> Float[Array, "*shape blocks size"]:
        return jnp.pad(a, padding).reshape(*p.shape[:-1], BLOCKS, size)

    cdf = jnp.cumsum(in_blocks(p).sum(axis=-1), axis=-1)
    u = jax.random.uniform(rng, p.shape[:-1] + (1,)) * cdf[..., -1:]
    block = (cdf <= u).sum(axis=-1, dtype=jnp.int32).clip(0, BLOCKS - 1)
    own = jnp.where(jnp.arange(number) // size == block[..., None], p, 0)
    inner = jnp.cumsum(in_blocks(own).sum(axis=-2), axis=-1)
    rest = u - jnp.where(cdf <= u, cdf, 0).max(axis=-1, keepdims=True)
    below = jnp.nextafter(inner[..., -1:], 0)  # where the two sums differ in rounding
    place = (inner <= jnp.minimum(rest, below)).sum(axis=-1, dtype=jnp.int32)
    return (block * size + place).clip(0, number - 1)


def expand(a: Shaped[Array, "B"], ndim: int) -> Shaped[Array, "B ..."]:
    """(B,) -> (B, 1, ..., 1) with `ndim` axes, to broadcast against an event."""
    return a.reshape(a.shape + (1,) * (ndim - a.ndim))


def sum_event(a: Shaped[Array, "B ..."]) -> Real[Array, "B"]:
    """Sum over everything but the batch."""
    return a.reshape(a.shape[0], -1).sum(axis=-1)


def inside(x: Batch, num_classes: int, possible: Bool[Array, "#B L K"] | None = None) -> Nats:
    """What to add to the nats of x: 0, or NaN for rows that hold a token outside [0, K).

    So such a row has no probability at all, where one-hots would make it a likely one. Rows
    (B, L) with a token that is not `possible` have -inf. Raises ValueError for a token outside
    where the tokens are at hand, outside of jit.
    """
    if not jnp.issubdtype(x.dtype, jnp.integer):
        raise ValueError(f"Tokens are integers; got an array of {x.dtype}. Give x.astype(int).")
    if not isinstance(x, jax.core.Tracer):
        check_tokens(np.asarray(x), num_classes)
    outside = ((x < 0) | (x >= num_classes)).reshape(x.shape[0], -1).any(axis=1)
    nats = jnp.where(outside, jnp.nan, 0.0)
    if possible is None:
        return nats
    possible &= one_hot(jnp.asarray(x), num_classes, dtype=bool)
    return jnp.where(possible.any(axis=-1).all(axis=1), nats, nats - jnp.inf)


def check_tokens(x: np.ndarray, num_classes: int) -> None:
    """Raises ValueError if a token of the host array `x` is outside [0, num_classes).

    On the host because a jitted one-hot or embedding would turn such a token into silent zeros.
    """
    if x.size and not 0 <= int(x.min()) <= int(x.max()) < num_classes:
        place = tuple(int(i) for i in np.argwhere((x < 0) | (x >= num_classes))[0])
        raise ValueError(
            f"Tokens must be in [0, {num_classes}); got {int(x[place])} at index {place}. "
            "Map the data to 0 … K - 1, or build the model with more classes."
        )
