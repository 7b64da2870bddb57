"""Corrections: what a diffusion makes of data in which some tokens are wrong."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.types import Array, Key, Params


@dataclasses.dataclass(frozen=True)
class Correct:
    """The most probable clean token at every position, in one pass of the network.

    Takes x for a state of the diffusion in which `error_rate` of the tokens are wrong, and the
    argmax of normalise(guess ⊙ q(x_t | x_0 = ·)): a token is changed only where the context
    outweighs the evidence of the token itself. With `raw`, the argmax of the guess alone, as in
    Hoogeboom et al., 2021, sec. 5.3.
    """

    error_rate: float = options.number(0.05, "share of the tokens that are wrong")
    raw: bool = False
    name = "correct"

    def __post_init__(self):
        """Raises ValueError for rates outside (0, 1)."""
        if not 0 < self.error_rate < 1:
            raise ValueError(
                f"The error rate must be between 0 and 1; got {self.error_rate}. Try 0.05."
            )

    def admits(self, kernel: Any) -> bool:
        """For kernels by which a token may become another one, and not only a mask."""
        return not kernels.is_masking(kernel)

    def __call__(self, model: Any, params: Params, rng: Key, x: Array) -> Array:
        """Clean tokens for x (B, ...), int32 of the same shape; nothing is drawn."""
        process = model.open(params)
        t = time_of(process, model.steps or 1000, self.error_rate)
        t = jnp.broadcast_to(t, x.shape[:1])
        p = process.predict(x, t) if self.raw else process.denoised(x, t).law
        return p.argmax(axis=-1).astype(jnp.int32)


def time_of(process: Process, steps: int, error_rate: float) -> Array:
    """The time at which the share of changed tokens is nearest to a rate: (), of 1/T, …, 1.

    By halving, since that share grows with time.
    """
    kernel = process.kernel
    classes = jnp.eye(kernel.num_classes, len(kernel.prior))[None]

    def changed(i: Array) -> Array:
        t = (i / steps)[None]
        return 1 - jnp.diagonal(kernel.push(classes, jnp.zeros(1), t)[0]).mean()

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) // 2
        early = changed(middle) < error_rate
        return jnp.where(early, middle, low), jnp.where(early, high, middle)

    ends = jnp.array(0), jnp.array(steps)
    low, high = jax.lax.fori_loop(0, math.ceil(math.log2(steps)), halve, ends)
    first = jnp.abs(changed(low) - error_rate) < jnp.abs(changed(high) - error_rate)
    return jnp.where(first & (low > 0), low, high) / steps
