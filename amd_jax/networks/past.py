"""Networks whose outputs for a position depend on earlier positions only."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from amd_jax.networks.blocks import Linear, check_counts, check_sizes
from amd_jax.networks.precision import compute_dtype
from amd_jax.networks.primitives.depthwise import shift
from amd_jax.networks.primitives.matmul import matmul
from amd_jax.networks.recurrent import LSTM
from amd_jax.networks.shapes import Features
from amd_jax.types import Array, Latents

small = nn.initializers.variance_scaling(0.01, "fan_in", "normal")


class MADE(nn.Module):
    """Dense layers with masks: (B, ..., C) -> (B, ..., num_outputs), places in row-major order.

    Inputs have degrees 1 to L by their place, hidden units 1 to L - 1 in turn; a unit sees what is
    of at most its degree, an output what is below that of its place. Without hidden layers every
    output is a sum over the inputs before it, which of one-hots is a table. Germain et al., 2015.

    Locations of a discrete flow are learnt better without `out_bias`, which moves all contexts
    alike, as the base does, and those of a table better with a `spread` of 1.
    """

    num_outputs: int  # of each place
    hidden: tuple[int, ...] = (128,)
    out_bias: bool = True
    spread: float = 0.01  # of the last kernel's numbers at the start

    @nn.compact
    def __call__(self, x: Latents, *, train: bool = False) -> Features:
        """The numbers for x; `train` changes nothing."""
        del train
        places = int(np.prod(x.shape[1:-1]))
        ends = jnp.arange(1, places + 1)
        seen, h = jnp.repeat(ends, x.shape[-1]), x.reshape(len(x), -1)
        for i, size in enumerate(self.hidden):
            check_sizes(hidden=size)
            degrees = 1 + jnp.arange(size) % max(1, places - 1)
            h = nn.relu(Masked(name=f"hidden_{i}")(h, seen[:, None] <= degrees))
            seen = degrees
        mask = seen[:, None] < jnp.repeat(ends, self.num_outputs)
        start = nn.initializers.normal(self.spread)
        out = Masked(self.out_bias, kernel_init=start, name="out")(h, mask)
        return out.reshape(*x.shape[:-1], -1)


class ChannelMADE(nn.Module):
    """Numbers for each channel, given those before it: (..., context + C) -> (..., C outputs).

    The first `context` channels are seen by all. Unit i of a hidden layer sees the first i mod C
    of the others (Germain et al., 2015, sec. 4).
    """

    num_outputs: int  # for each channel
    width: int
    layers: int = 2
    context: int = 0

    @nn.compact
    def __call__(self, x: Latents, *, train: bool = False) -> Features:
        """The outputs for x, those of a channel side by side; `train` changes nothing."""
        check_sizes(width=self.width)
        check_counts(layers=self.layers)
        channels = x.shape[-1] - self.context
        own = jnp.arange(1, channels + 1)
        seen, units = jnp.append(jnp.zeros(self.context, int), own), jnp.arange(self.width)
        for i in range(self.layers):
            sees = units % channels
            x = nn.relu(Masked(name=f"hidden_{i}")(x, seen[:, None] <= sees))
            seen = sees
        mask = jnp.repeat(seen[:, None] < own, self.num_outputs, axis=1)
        return Masked(kernel_init=small, name="out")(x, mask)


class Masked(nn.Module):
    """A linear map some of whose weights are 0."""

    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Latents, mask: Bool[Array, "C F"]) -> Features:
        """x times the weights where the mask is true, and the bias."""
        out = matmul(x, jnp.where(mask, self.param("kernel", self.kernel_init, mask.shape), 0.0))
        if not self.use_bias:
            return out
        return out + self.param("bias", nn.initializers.zeros, mask.shape[1:])


class PastLSTM(nn.Module):
    """LSTM layers over the places before each: (B, L, C) -> (B, L, num_outputs)."""

    num_outputs: int
    features: int
    layers: int = 1
    out_bias: bool = True
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    @nn.compact
    def __call__(self, x: Latents, *, train: bool = False) -> Features:
        """The numbers for x; `train` changes nothing."""
        del train
        check_sizes(features=self.features, layers=self.layers)
        check_counts(layers=self.layers)
        h = shift(x.astype(compute_dtype(self.dtype)), 1)
        for i in range(self.layers):
            h = LSTM(self.features, name=f"lstm_{i}")(h)
        out = Linear(self.num_outputs, use_bias=self.out_bias, kernel_init=small, name="out")
        return out(h.astype(jnp.float32))
