"""Flows at several resolutions: whatever is fine is modelled early, the rest is squeezed on."""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.ops.scalars import Bijection
from amd_jax.transforms.chain import Chain
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.transforms.coupling import Coupling
from amd_jax.transforms.elementwise import ActNorm, Linear1x1, Squeeze
from amd_jax.transforms.laws import Conditional
from amd_jax.transforms.repeated import repeated
from amd_jax.types import Array, Key, Latents, Law, Nats, Params, Transform

Half = Float[Array, "B *event H"]  # H = C / 2


@dataclasses.dataclass(frozen=True, eq=False)
class FactorOut:
    """Keeps the first half of the channels; the others leave, and have a law of their own.

    A surjection, with the law's log-density. Dinh et al., 2017, sec. 3.6; Nielsen et al., 2020,
    sec. 3 (slicing).
    """

    law: Law
    exact = True

    def init(self, rng: Key, x: Latents) -> Params:
        """Parameters for x. Raises ValueError for an odd C."""
        return self.law.init(rng, _halves(x)[1])

    def forward(
        self, params: Params, rng: Key, x: Latents, *, train: bool = False
    ) -> tuple[Half, Nats]:
        kept, out = jnp.split(x, 2, axis=-1)
        return kept, self.law.log_prob(params, out)

    def inverse(self, params: Params, rng: Key, z: Half) -> Latents:
        """z beside fresh draws of the channels that left."""
        return jnp.concatenate([z, self.law.sample(params, rng, z.shape)], axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class FactorOutGiven:
    """As `FactorOut`, but the law of what leaves depends on what is kept.

    Hoogeboom et al., 2019, sec. 3.1 (factor-out layers).
    """

    law: Conditional
    exact = True

    def init(self, rng: Key, x: Latents) -> Params:
        """Parameters for x. Raises ValueError for an odd C."""
        return self.law.init(rng, _halves(x)[0])

    def forward(
        self, params: Params, rng: Key, x: Latents, *, train: bool = False
    ) -> tuple[Half, Nats]:
        kept, out = jnp.split(x, 2, axis=-1)
        return kept, self.law.log_prob(params, out, kept)

    def inverse(self, params: Params, rng: Key, z: Half) -> Latents:
        """z beside draws, given z, of the channels that left."""
        out, _ = self.law.sample_and_log_prob(params, rng, z)
        return jnp.concatenate([z, out.astype(z.dtype)], axis=-1)


def _halves(x: Latents) -> list[Half]:
    """The halves of the channels; ValueError for an odd number of them."""
    if x.shape[-1] % 2:
        raise ValueError(
            f"FactorOut halves the channels, and needs an even number; got {x.shape[-1]}. "
            "Put a Squeeze before it."
        )
    return jnp.split(x, 2, axis=-1)


def glow(
    channels: int,
    levels: int,
    steps: int,
    conditioners: Callable[[int], Conditioner],
    bijection: Bijection,
    law: Law,
) -> tuple[Transform, ...]:
    """The transforms of a flow over maps (B, H, W, channels) at `levels` resolutions.

    At each level a Squeeze by 2, then `steps` times ActNorm, Linear1x1 and a coupling, for whose F
    outputs `conditioners(F)` makes the network; between levels half of the channels are factored
    out, with their `law`. H and W must be multiples of 2 ** levels. Kingma and Dhariwal, 2018,
    fig. 2b.
    """
    if levels < 1:
        raise ValueError(f"A multi-scale flow needs 1 level or more; got levels={levels}.")
    parts: list[Transform] = []
    for level in range(levels):
        if level:
            parts.append(FactorOut(law))
            channels //= 2
        parts.append(Squeeze(2))
        channels *= 4
        outputs = channels // 2 * bijection.num_parameters
        step = Chain((ActNorm(), Linear1x1(), Coupling(conditioners(outputs), bijection)))
        parts += repeated(step, steps)
    return tuple(parts)
