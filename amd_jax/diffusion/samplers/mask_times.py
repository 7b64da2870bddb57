"""When so many tokens are masks: the time that a partly masked row stands for."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.ops import categorical
from amd_jax.types import Array, Times, Tokens


def time_of(process: Process, x_t: Tokens) -> Times:
    """The time at which as many tokens are masks, on average, as in each row of x_t.

    Of those that can be masks: of a line the padding never is.
    """
    kernel = kernels.mixing(process.kernel)
    masked = categorical.sum_event(x_t == kernel.num_classes)
    size = jnp.maximum(categorical.sum_event(~process.drawn_first(x_t)), 1)
    return when(kernel, 1 - masked / size)


def when(kernel: kernels.Mixing, alpha: Float[Array, "N"]) -> Float[Array, "N"]:
    """The time at which tokens are kept with a probability, by halving."""
    low, high = jnp.zeros_like(alpha), jnp.ones_like(alpha)

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        early = jnp.exp(kernel.schedule(middle)) > alpha
        return jnp.where(early, middle, low), jnp.where(early, high, middle)

    return jax.lax.fori_loop(0, 30, halve, (low, high))[1]
