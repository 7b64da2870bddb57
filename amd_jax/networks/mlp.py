"""MLP: a network applied to each position by itself."""

import flax.linen as nn

from amd_jax.networks.blocks import check_counts, check_sizes
from amd_jax.networks.precision import Dense
from amd_jax.types import Array

ACTIVATIONS = ("gelu", "relu")


class MLP(nn.Module):
    """Dense layers: (..., C) -> (..., num_outputs), which start at zero."""

    num_outputs: int
    width: int = 64
    layers: int = 2  # hidden ones
    activation: str = "gelu"  # or "relu"

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """The outputs for x; `train` changes nothing."""
        del train
        check_sizes(width=self.width)
        check_counts(layers=self.layers)
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation is one of {', '.join(ACTIVATIONS)}; got {self.activation!r:.40}."
            )
        for i in range(self.layers):
            x = getattr(nn, self.activation)(Dense(self.width, name=f"wide_{i}")(x))
        zeros = nn.initializers.zeros
        return Dense(self.num_outputs, kernel_init=zeros, name="out")(x)
