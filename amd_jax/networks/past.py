"""Networks whose numbers for a place depend on the places before it only."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array

from amd_jax.networks.blocks import Linear, check_sizes
from amd_jax.networks.precision import compute_dtype
from amd_jax.networks.primitives.depthwise import shift
from amd_jax.networks.recurrent import LSTM

lecun = nn.initializers.lecun_normal()
small = nn.initializers.variance_scaling(0.01, "fan_in", "normal")


class MADE(nn.Module):
    """Dense layers with masks: (B, ..., C) -> (B, ..., num_outputs), places in row-major order.

    Inputs have degrees 1 to L by their place, hidden units 1 to L - 1 in turn; a unit sees what is
    of at most its degree, an output what is below that of its place. Without hidden layers every
    output is a sum over the inputs before it, which of one-hots is a table. Germain et al., 2015.

    Locations of a discrete flow are learnt better without `out_bias`, which moves all contexts
    alike, as the base does, and better from a table of logits that differ by about 1.
    """

    num_outputs: int  # of each place
    hidden: tuple[int, ...] = (128,)
    out_bias: bool = True
    out_init: nn.initializers.Initializer = small

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """The numbers for x (B, ..., C); `train` changes nothing."""
        del train
        places = int(np.prod(x.shape[1:-1]))
        ends = np.arange(1, places + 1)
        seen, h = np.repeat(ends, x.shape[-1]), x.reshape(len(x), -1)
        for i, size in enumerate(self.hidden):
            check_sizes(hidden=size)
            degrees = 1 + np.arange(size) % max(1, places - 1)
            h = nn.relu(self._masked(f"layer_{i}", h, seen[:, None] <= degrees))
            seen = degrees
        mask = seen[:, None] < np.repeat(ends, self.num_outputs)
        out = self._masked("out", h, mask, self.out_init, bias=self.out_bias)
        return out.reshape(*x.shape[:-1], -1)

    def _masked(
        self, name: str, h: Array, mask: np.ndarray, init=lecun, *, bias: bool = True
    ) -> Array:
        """A dense layer whose kernel is 0 outside the mask (in, out); in compact."""
        h = h @ jnp.where(mask, self.param(f"{name}_kernel", init, mask.shape), 0)
        if not bias:
            return h
        return h + self.param(f"{name}_bias", nn.initializers.zeros, mask.shape[1:])


class PastLSTM(nn.Module):
    """LSTM layers over the places before each: (B, L, C) -> (B, L, num_outputs)."""

    num_outputs: int
    features: int
    layers: int = 1
    out_bias: bool = True
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """The numbers for x (B, L, C); `train` changes nothing."""
        del train
        check_sizes(features=self.features, layers=self.layers)
        h = shift(x.astype(compute_dtype(self.dtype)), 1)
        for i in range(self.layers):
            h = LSTM(self.features, name=f"lstm_{i}")(h)
        out = Linear(self.num_outputs, use_bias=self.out_bias, kernel_init=small, name="out")
        return out(h.astype(jnp.float32))
