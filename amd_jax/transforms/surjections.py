"""Surjections that lose a sign, an order, or all but the largest: Nielsen et al., 2020, sec. 3.2.

Each `forward` is deterministic; `inverse` draws what was lost, and its law is in the nats.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.transforms import laws
from amd_jax.types import Array, Batch, Key, Law, Nats, Params, PerToken, Series

HALF_NORMAL = laws.LocationScale(  # |e| of a normal e
    lambda e: jnp.where(e < 0, -jnp.inf, math.log(2) + laws.NORMAL.log_density(e)),
    lambda rng, shape: jnp.abs(jax.random.normal(rng, shape)),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Abs:
    """z = |x|, either sign as likely: nats -ln 2 for each number."""

    exact = True

    def init(self, rng: Key, x: Batch) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        return jnp.abs(x), jnp.full(len(x), -math.prod(x.shape[1:]) * math.log(2))

    def inverse(self, params: Params, rng: Key, z: Batch) -> Batch:
        return z * jax.random.rademacher(rng, z.shape, z.dtype)


@dataclasses.dataclass(frozen=True, eq=False)
class Sort:
    """The L elements of a set by first numbers, each order as likely: nats -ln L!."""

    exact = True

    def init(self, rng: Key, x: Series) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Series, *, train: bool = False
    ) -> tuple[Series, Nats]:
        order = jnp.argsort(x[..., :1], axis=1)
        nats = jnp.full(len(x), -math.lgamma(x.shape[1] + 1))
        return jnp.take_along_axis(x, order, axis=1), nats

    def inverse(self, params: Params, rng: Key, z: Series) -> Series:
        order = jnp.argsort(jax.random.uniform(rng, z[..., :1].shape), axis=1)
        return jnp.take_along_axis(z, order, axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class Max:
    """The largest of the last axis, each place of it as likely.

    `law` is that of how far the others are below it, (B, ..., N - 1) in their order, and positive:
    nats are its log-density, -ln N for each maximum. After a `Squeeze`, max-pooling.
    """

    size: int  # N
    law: Law = laws.Fixed(HALF_NORMAL)
    exact = True

    def init(self, rng: Key, x: Float[Array, "B *event N"]) -> Params:
        return self.law.init(rng, x[..., 1:])

    def forward(
        self, params: Params, rng: Key, x: Float[Array, "B *event N"], *, train: bool = False
    ) -> tuple[PerToken, Nats]:
        z, place = x.max(axis=-1), x.argmax(axis=-1)
        below = jnp.take_along_axis(z[..., None] - x, self._others(place), axis=-1)
        nats = self.law.log_prob(params, below)
        return z, nats - math.prod(z.shape[1:]) * math.log(self.size)

    def inverse(self, params: Params, rng: Key, z: PerToken) -> Float[Array, "B *event N"]:
        rng_place, rng = jax.random.split(rng)
        place = jax.random.randint(rng_place, z.shape, 0, self.size)
        below = self.law.sample(params, rng, (*z.shape, self.size - 1))
        order = jnp.concatenate([place[..., None], self._others(place)], axis=-1)
        below = jnp.concatenate([jnp.zeros_like(z)[..., None], below], axis=-1)
        return z[..., None] - jnp.take_along_axis(below, jnp.argsort(order, axis=-1), axis=-1)

    def _others(self, place: Array) -> Array:
        """All places but one, in order: (...) -> (..., N - 1)."""
        i = jnp.arange(self.size - 1)
        return i + (i >= place[..., None])
