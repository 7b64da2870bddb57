"""Autoregressive layers over the channels of a position, by a masked network."""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax.ops import categorical
from amd_jax.ops.scalars import Bijection
from amd_jax.transforms import conditioner
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.types import Array, Key, Latents, Nats, Params


@dataclasses.dataclass(frozen=True, eq=False)
class Masked:
    """A bijection of each channel of x, conditioned on the channels before it.

    The first `context` channels pass, and condition all others, as in `coupling.Coupling`. Places
    do not see each other. Papamakarios et al., 2017, sec. 3.
    """

    network: Conditioner  # x -> (B, ..., (C - context) * P), such as `networks.ChannelMADE`
    bijection: Bijection  # with P parameters
    context: int = 0  # channels

    def init(self, rng: Key, x: Latents) -> Params:
        return conditioner.init(self.network, rng, x, self._shape(x))

    def forward(
        self, params: Params, rng: Key, x: Latents, *, train: bool = False
    ) -> tuple[Latents, Nats]:
        """z and the log-determinant, in one network call."""
        theta = conditioner.apply(self.network, params, rng, x, self._shape(x), train=train)
        moved, log_slope = self.bijection.forward(x[..., self.context :], theta)
        z = jnp.concatenate([x[..., : self.context], moved], axis=-1)
        return z, categorical.sum_event(log_slope)

    def inverse(self, params: Params, rng: Key, z: Latents) -> Latents:
        """x of z, with a network call for each channel."""

        def mend(c: Array, x: Latents) -> Latents:
            theta = conditioner.apply(self.network, params, rng, x, self._shape(x))
            result = self.bijection.inverse(z[..., c], theta[..., c - self.context, :])
            return x.at[..., c].set(result)

        return jax.lax.fori_loop(self.context, z.shape[-1], mend, z)

    def _shape(self, x: Latents) -> tuple[int, ...]:
        channels = x.shape[-1] - self.context
        return (*x.shape[:-1], channels, self.bijection.num_parameters)
