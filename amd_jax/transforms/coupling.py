"""Coupling layers: some channels condition the map of the others."""

import dataclasses

import jax.numpy as jnp

from amd_jax.ops import categorical
from amd_jax.ops.scalars import Bijection
from amd_jax.transforms import conditioner
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.types import Array, Batch, Key, Nats, Params


@dataclasses.dataclass(frozen=True, eq=False)
class Coupling:
    """The first half of the channels passes, and conditions a bijection of each of the others.

    Channels keep their places. The first `context` channels are none of the two halves: they
    pass as well, and condition too (`conditional.ConditionalFlow`). Another number of channels
    than half of them may be `moving`, the last ones. Dinh et al., 2017, sec. 3.2.
    """

    network: Conditioner  # what passes (B, ..., S) -> (B, ..., (C - S) * P)
    bijection: Bijection  # with P parameters
    context: int = 0  # channels
    moving: int | None = None  # channels; if they are odd, the larger half
    exact = True

    def init(self, rng: Key, x: Batch) -> Params:
        """Parameters for x. Raises ValueError if there is nothing to split."""
        if x.shape[-1] < 2:
            raise ValueError(
                f"A coupling splits the channels, and needs 2 or more; got {x.shape[-1]}. "
                "Use a smaller base, a Squeeze before it, or an autoregressive layer."
            )
        most = x.shape[-1] - max(1, self.context)
        if self.moving is not None and not 1 <= self.moving <= most:
            raise ValueError(
                f"Of {x.shape[-1]} channels, {self.context} of them context, 1 to {most} may "
                f"move; got moving={self.moving}."
            )
        still, moved = self._split(x)
        return conditioner.init(self.network, rng, still, self._shape(moved))

    def forward(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        """z and the log-determinant."""
        still, moved = self._split(x)
        shape = self._shape(moved)
        theta = conditioner.apply(self.network, params, rng, still, shape, train=train)
        moved, log_slope = self.bijection.forward(moved, theta)
        return jnp.concatenate([still, moved], axis=-1), categorical.sum_event(log_slope)

    def inverse(self, params: Params, rng: Key, z: Batch) -> Batch:
        still, moved = self._split(z)
        theta = conditioner.apply(self.network, params, rng, still, self._shape(moved))
        return jnp.concatenate([still, self.bijection.inverse(moved, theta)], axis=-1)

    def _shape(self, moved: Array) -> tuple[int, ...]:
        return (*moved.shape, self.bijection.num_parameters)

    def _split(self, x: Batch) -> tuple[Array, Array]:
        """The channels that pass, and those that move."""
        passing = self.context + (x.shape[-1] - self.context) // 2
        if self.moving is not None:
            passing = x.shape[-1] - self.moving
        return x[..., :passing], x[..., passing:]
