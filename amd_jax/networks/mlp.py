"""A network of each place by itself."""

import flax.linen as nn

from amd_jax.networks.blocks import check_sizes
from amd_jax.networks.precision import Dense
from amd_jax.types import Array


class MLP(nn.Module):
    """Dense layers of the numbers of a place: (B, ..., C) -> (B, ..., num_outputs).

    With `zero_start` the outputs start at zero, so that a coupling starts as the identity.
    """

    num_outputs: int
    width: int = 64
    layers: int = 2  # hidden ones
    zero_start: bool = True

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """The outputs for x; `train` changes nothing."""
        del train
        check_sizes(width=self.width)
        for i in range(self.layers):
            x = nn.gelu(Dense(self.width, name=f"wide_{i}")(x))
        init = nn.initializers.zeros if self.zero_start else nn.initializers.lecun_normal()
        return Dense(self.num_outputs, kernel_init=init, name="out")(x)
