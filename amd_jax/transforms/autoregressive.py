"""Autoregressive layers, every number mapped given all before it; and a law that ends with one."""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax.ops import categorical
from amd_jax.ops.scalars import Bijection
from amd_jax.transforms import conditioner
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.transforms.laws import Family
from amd_jax.types import Array, Key, Nats, Params, PyTree, Series, Support


@dataclasses.dataclass(frozen=True, eq=False)
class Autoregressive:
    """A bijection of each number of x (B, L, C), conditioned on all before it.

    Position by position, and in a position channel by channel. The network is a linen module that
    sees them all at once, `(x, *, train) -> theta (B, L, C, P)`, and that can also walk, with the
    same parameters, which is what makes the inverse O(L C) instead of O(L² C):

    - `start(B, L) -> carry`;
    - `advance(carry, previous (B, C), p) -> carry, features`: takes in position p - 1, whose
      values are `previous` (of no meaning at p = 0), and gives what position p starts from;
    - `channel(features, x (B, C), c) -> theta (B, P)`: reads the channels of x before c.
    """

    network: Conditioner
    bijection: Bijection  # with P parameters
    exact = True

    def init(self, rng: Key, x: Series) -> Params:
        return conditioner.init(self.network, rng, x, self._shape(x))

    def forward(
        self, params: Params, rng: Key, x: Series, *, train: bool = False
    ) -> tuple[Series, Nats]:
        """z and the log-determinant, in one network call."""
        z, log_slope = self.forward_each(params, rng, x, train=train)
        return z, categorical.sum_event(log_slope)

    def inverse(self, params: Params, rng: Key, z: Series) -> Series:
        """x of z, one scalar after the other."""

        def call(method: str, *arguments: PyTree) -> PyTree:
            return self.network.apply({"params": params}, *arguments, method=method)

        def position(carry: tuple[PyTree, Array], at: tuple[Array, Array]):
            state, previous = carry
            p, z_p = at
            state, features = call("advance", state, previous, p)
            x_p = jnp.zeros_like(z_p)
            for c in range(z_p.shape[-1]):
                theta = call("channel", features, x_p, c)
                x_p = x_p.at[:, c].set(self.bijection.inverse(z_p[:, c], theta))
            return (state, x_p), x_p

        start = call("start", *z.shape[:2]), jnp.zeros_like(z[:, 0])
        positions = jnp.arange(z.shape[1]), jnp.moveaxis(z, 1, 0)
        return jnp.moveaxis(jax.lax.scan(position, start, positions)[1], 0, 1)

    def forward_each(
        self, params: Params, rng: Key | None, x: Series, *, train: bool = False
    ) -> tuple[Series, Series]:
        """z, and the log-slope of each number."""
        theta = conditioner.apply(self.network, params, rng, x, self._shape(x), train=train)
        return self.bijection.forward(x, theta)

    def _shape(self, x: Series) -> tuple[int, ...]:
        return (*x.shape, self.bijection.num_parameters)


@dataclasses.dataclass(frozen=True, eq=False)
class UpToEnd:
    """A law of latents (B, L, K) whose argmax is a row that may end before its last position.

    The numbers that a layer maps are independent, of a standard law. Those after the end of a row
    do not change which row it is, and none before depends on them, so that their density
    integrates to one: `log_prob` is of the numbers up to the end. With an `argmax.Argmax` whose
    encoder leaves them out, too, they cost exactly nothing.
    """

    layer: Autoregressive
    family: Family
    support: Support  # of the rows

    def init(self, rng: Key, z: Series) -> Params:
        return self.layer.init(rng, jnp.zeros(z.shape, z.dtype))

    def log_prob(self, params: Params, z: Series) -> Nats:
        e, log_slope = self.layer.forward_each(params, None, z)
        log_p = log_slope + self.family.log_prob(self._standard(z.shape), e)
        ended = self.support.ended(self.support.decode(z))
        return categorical.sum_event(jnp.where(ended[..., None], 0.0, log_p))

    def sample(self, params: Params, rng: Key, shape: tuple[int, ...]) -> Series:
        return self.layer.inverse(params, rng, self.family.sample(rng, self._standard(shape)))

    def _standard(self, shape: tuple[int, ...]) -> Array:
        return jnp.zeros((*shape, self.family.num_parameters))
