"""Samplers: ways from noise to data, for any process.

Each is a value with a name and its numbers (`options`). It is called with a process, a key, noisy
tokens x (B, ...) and the times (S + 1,) to walk, which descend within [0, 1].
"""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.types import Array, Key


def grid(steps: int) -> Array:
    """The times of `steps` equal steps from noise to data: (steps + 1,), from 1 down to 0."""
    return jnp.arange(steps, -1, -1) / steps


@dataclasses.dataclass(frozen=True)
class Ancestral:
    """Draws x_s ~ q(x_s | x_t, guess of x_0), step after step (Hoogeboom et al., 2021, sec. 4).

    Fewer steps than the model has walk a coarser grid, with as many network calls: exact in the
    limit of many steps.
    """

    steps: int | None = options.number(
        None, "network calls; the model's number of steps unless given", kind=int, least=1
    )
    name = "ancestral"

    def __post_init__(self):
        """Raises ValueError for less than one step."""
        options.check(self)

    def times(self, steps: int | None) -> Array:
        """Equal steps. Raises ValueError for more of them than the model has."""
        if self.steps is None and steps is None:
            raise ValueError("A model in continuous time is sampled in as many steps as you say.")
        chosen = steps if self.steps is None else self.steps
        if steps is not None and chosen > steps:
            raise ValueError(
                f"steps must be in [1, {steps}], the model's number of steps; got {chosen}."
            )
        return grid(chosen)

    def __call__(self, process: Process, rng: Key, x: Array, times: Array) -> Array:
        """The walk, as one loop on the device."""

        def step(i: Array, x: Array) -> Array:
            t, s = (jnp.full(x.shape[0], times[j]) for j in (i, i + 1))
            rng_step, p_0 = jax.random.fold_in(rng, i), process.predict(x, t)
            return kernels.step_back(process.kernel, rng_step, p_0, x, s, t)

        return jax.lax.fori_loop(0, len(times) - 1, step, x)
