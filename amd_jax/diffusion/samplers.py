"""Samplers: from noise to data with any kernel and any guess of the clean data."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from amd_jax.diffusion import kernels
from amd_jax.types import Array, Kernel, Key

Predict = Callable[[Array, Array], Array]  # x_t (B, ...), t (B,) -> p_0 (B, ..., K)


def grid(steps: int) -> Array:
    """The times of `steps` equal steps from noise to data: (steps + 1,), from 1 down to 0."""
    return jnp.arange(steps, -1, -1) / steps


def ancestral(kernel: Kernel, predict: Predict, rng: Key, x: Array, times: Array) -> Array:
    """Walks x from times[0] to times[-1], drawing x_s ~ q(x_s | x_t, predict(x_t, t)): (B, ...).

    `times` (S + 1,) descends within [0, 1]; a coarser grid than the training's is strided
    sampling, with S network calls. The whole chain is one loop on the device.
    Hoogeboom et al., 2021, sec. 4.
    """

    def step(i: Array, x: Array) -> Array:
        t, s = (jnp.full(x.shape[0], times[j]) for j in (i, i + 1))
        return kernels.step_back(kernel, jax.random.fold_in(rng, i), predict(x, t), x, s, t)

    return jax.lax.fori_loop(0, len(times) - 1, step, x)
