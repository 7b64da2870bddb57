"""Few calls for masks: tokens that lie far apart are revealed together."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
from jaxtyping import Integer

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import base, mask_times, time_grids, unmasking
from amd_jax.ops import categorical
from amd_jax.types import Array, Flags, Grid, Kernel, Key, LearnedKernel, Tokens

Starts = Integer[Array, "B A"]  # of each row, a place on each of its axes


@dataclasses.dataclass(frozen=True)
class Dilated(base.Sharpened):
    """Reveals tokens that lie far apart together, and then those between them.

    What is drawn in one call is drawn apart, which loses the dependence of those tokens, given
    all that is known; and dependence falls with distance (Luxembourg et al., 2025). From a start
    that is random in each row, places come in the order of their bits reversed, so that those of
    a call lie at about equal distances, in texts and on maps. The same number in every call.
    Exact with one token a call.
    """

    steps: int | None = options.number(
        None, "network calls; one for each token unless given", kind=int, least=1
    )
    name = "dilated"

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """For masks only."""
        return kernels.is_masking(kernel)

    def times(self, steps: int | None) -> Grid:
        """Noise and data: what is between them has no times."""
        return time_grids.grid(1)

    def __call__(self, process: Process, rng: Key, x: Tokens, times: Grid) -> Tokens:
        """The whole walk; tokens that are no mask stay."""
        rng_start, rng = jax.random.split(rng)
        sizes = [2 ** bits_of(size) for size in x.shape[1:]]
        starts = jax.random.randint(rng_start, (len(x), len(sizes)), 0, jnp.array(sizes))
        calls = self.calls(starts, x == process.kernel.num_classes)

        def reveal(i: Array, x: Tokens) -> Tokens:
            p_0 = self.sharpened(process, x, mask_times.time_of(process, x))
            drawn = categorical.sample(jax.random.fold_in(rng, i), p_0)
            return jnp.where(calls == i, drawn, x)

        return jax.lax.fori_loop(0, calls.max() + 1, reveal, x)

    def calls(self, starts: Starts, masked: Flags) -> Integer[Array, "B *event"]:
        """The call, from 0 on, in which each masked token is revealed; -1 for the others."""
        rank = unmasking.ranks(jnp.where(masked, order(starts, masked.shape[1:]), jnp.inf))
        number = categorical.expand(categorical.sum_event(masked), masked.ndim)
        most = number if self.steps is None else jnp.minimum(self.steps, number)
        return jnp.where(masked, rank * most // jnp.maximum(number, 1), -1)


def order(starts: Starts, shape: tuple[int, ...]) -> Integer[Array, "B *event"]:
    """Numbers of places in the order in which they are visited, the bits of all axes reversed.

    From one place on, the next ones halve the distances between those before.
    """
    bits = [bits_of(size) for size in shape]
    result = jnp.zeros((len(starts), *shape), jnp.int32)
    for bit, axis in itertools.product(range(max(bits, default=0)), range(len(shape))):
        if bit < bits[axis]:
            places = jnp.arange(shape[axis]) - starts[:, axis, None]
            sizes = [-1 if other == axis else 1 for other in range(len(shape))]
            result = 2 * result + ((places >> bit) & 1).reshape(len(starts), *sizes)
    return result


def bits_of(size: int) -> int:
    """The bits of the places 0, ..., size - 1."""
    return (size - 1).bit_length()
