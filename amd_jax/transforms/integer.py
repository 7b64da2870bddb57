"""Integer discrete flows: bijections of the whole numbers by couplings that round.

Levels of an image, or whatever else has an order, travel as whole numbers in floats, along which
gradients go (`ops/rounding.py`). No volume changes, so the likelihood is exact. The base and what
leaves on the way have discretised logistic laws on all whole numbers: some of their mass is
outside the levels, the less of it the better the flow has learnt. Hoogeboom et al., 2019.
"""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp

from amd_jax.ops import categorical, integers, rounding
from amd_jax.transforms.conditioner import Conditioner, Scaled
from amd_jax.transforms.coupling import Coupling
from amd_jax.transforms.elementwise import Shuffle, Squeeze
from amd_jax.transforms.laws import Conditional, DiscretizedLogistic
from amd_jax.transforms.multiscale import FactorOutGiven
from amd_jax.types import Floats, Key, Nats, Params, PerToken, Tokens, Transform


@dataclasses.dataclass(frozen=True)
class Levels:
    """Levels in [0, K) as whole numbers around 0, where an integer flow begins.

    A whole number that is no level comes back as `integers.UNUSED`.
    """

    num_classes: int  # K, of any bit depth: 2 ** bits
    exact = True

    def init(self, rng: Key, x: Tokens) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[PerToken, Nats]:
        known = categorical.inside(x, self.num_classes)
        return x.astype(float) - self.num_classes // 2, known

    def inverse(self, params: Params, rng: Key, z: PerToken) -> Tokens:
        x = jnp.round(z).astype(jnp.int32) + self.num_classes // 2
        return integers.valid(x, self.num_classes)


def idf(
    channels: int,
    levels: int,
    steps: int,
    conditioners: Callable[[int], Conditioner],
    unit: float,
    spread: float,
    share: int = 4,
    rounding_: Callable[[Floats], Floats] = rounding.nearest,
) -> tuple[Transform, ...]:
    """The transforms of an integer flow over maps (B, H, W, channels) at several resolutions.

    At each of the `levels` a Squeeze by 2, then `steps` times a permutation and a coupling that
    moves one of `share` channels; between them half of the channels leave, given the others.
    `conditioners(F)` makes a network with F outputs, which reads numbers / unit and gives shifts
    in that unit; `spread` is the first scale of what leaves. H and W must be multiples of 2 **
    levels. Hoogeboom et al., 2019, sec. 3 and released code.
    """
    if levels < 1:
        raise ValueError(f"An integer flow has 1 level or more; got levels={levels}.")
    if not 1 <= share <= 4 * channels:
        raise ValueError(
            f"A coupling moves one of 1 to {4 * channels} channels; got share={share}."
        )
    parts: list[Transform] = []
    for level in range(levels):
        if level:
            channels //= 2
            law = DiscretizedLogistic(unit=spread)
            network = Scaled(conditioners(channels * law.num_parameters), unit)
            parts.append(FactorOutGiven(Conditional(law, network)))
        parts.append(Squeeze(2))
        channels *= 4
        moving = channels // share
        for _ in range(steps):
            network = Scaled(conditioners(moving), unit)
            shift = rounding.Shift(unit, rounding_)
            parts += [Shuffle(len(parts)), Coupling(network, shift, moving=moving)]
    return tuple(parts)
