"""Rounding with straight-through or soft gradients, and bijections of the integers by it."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float, Real

from amd_jax.types import Array, Floats, Numbers


def nearest(u: Floats) -> Floats:
    """The nearest whole number, that of a half the even one; the gradient is the identity's.

    Hoogeboom et al., 2019, sec. 3.2.
    """
    return jnp.round(u) + (u - jax.lax.stop_gradient(u))


def soft(u: Floats, temperature: float, sigmoids: int = 5) -> Floats:
    """A smooth staircase through the whole numbers: the steeper, the lower the temperature.

    A sum of sigmoids, one for each of the nearest steps; `sigmoids` is odd. Hoogeboom et al.,
    2019, released code. Raises ValueError for a temperature that is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"A soft rounding has a temperature above 0; got {temperature}.")
    low = jnp.round(u - 0.5)
    steps = jnp.arange(sigmoids) - sigmoids // 2
    rise = jax.nn.sigmoid(((u - 0.5 - low)[..., None] - steps) / temperature)
    return rise.sum(axis=-1) + low - sigmoids // 2


@dataclasses.dataclass(frozen=True)
class Shift:
    """z = x + [unit θ], [.] rounds: moves whole numbers x by whole steps.

    Hoogeboom et al., 2019, sec. 3.1. `rounding` may be another than `nearest`, such as
    `lambda u: nearest(soft(u, 0.1))`, whose gradient is that of the staircase.
    """

    unit: float = 1.0  # steps in one number of the network
    rounding: Callable[[Floats], Floats] = nearest
    num_parameters = 1

    def forward(self, x: Numbers, theta: Float[Array, "*#shape 1"]) -> tuple[Floats, Floats]:
        """Z, and log-slopes of 0: no volume changes where there is none."""
        return x + self._steps(theta), jnp.zeros_like(x)

    def inverse(self, z: Real[Array, "*#shape"], theta: Float[Array, "*#shape 1"]) -> Floats:
        """x for z."""
        return z - self._steps(theta)

    def _steps(self, theta: Array) -> Array:
        return self.rounding(self.unit * theta[..., 0])
