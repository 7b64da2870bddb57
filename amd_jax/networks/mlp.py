"""MLP: a network applied to each position by itself."""

import flax.linen as nn

from amd_jax.networks.blocks import check_counts, check_sizes
from amd_jax.networks.precision import Dense
from amd_jax.networks.shapes import Features
from amd_jax.types import Latents

ACTIVATIONS = {"gelu": nn.gelu, "relu": nn.relu}


class MLP(nn.Module):
    """Dense layers: (..., C) -> (..., num_outputs); the outputs start at zero."""

    num_outputs: int
    width: int = 64
    layers: int = 2  # hidden ones
    activation: str = "gelu"  # or "relu"

    @nn.compact
    def __call__(self, x: Latents, *, train: bool = False) -> Features:
        """The outputs for x; `train` changes nothing."""
        del train
        check_sizes(width=self.width)
        check_counts(layers=self.layers)
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation is one of {', '.join(ACTIVATIONS)}; got {self.activation!r:.40}."
            )
        for i in range(self.layers):
            x = ACTIVATIONS[self.activation](Dense(self.width, name=f"wide_{i}")(x))
        zeros = nn.initializers.zeros
        return Dense(self.num_outputs, kernel_init=zeros, name="out")(x)
