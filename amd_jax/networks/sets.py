"""Networks of sets: equivariant to permutations of the elements."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.networks.blocks import check_counts, check_sizes
from amd_jax.networks.lstm import MixtureParameters, first_parameters, gelu
from amd_jax.networks.precision import Dense
from amd_jax.networks.primitives.attention import attention
from amd_jax.types import Array, Series


class SetTransformer(nn.Module):
    """Mixture parameters of some channels given the others: (B, L, C) -> (B, L, channels, P).

    A Transformer without positions, which norms after each addition. Lippe and Gavves, 2021, and
    the authors' code; the parameters are those of `BidirectionalLSTM`.
    """

    channels: int  # that are transformed
    components: int  # M, logistics in a mixture
    width: int = 64
    blocks: int = 2
    heads: int = 4
    expansion: int = 2

    @nn.compact
    def __call__(self, v: Series, *, train: bool = False) -> Float[Array, "B L channels P"]:
        """The parameters for v, the channels that condition; `train` changes nothing."""
        del train
        check_sizes(channels=self.channels, components=self.components, heads=self.heads)
        check_sizes(width=self.width)
        check_counts(blocks=self.blocks)
        if self.width % self.heads:
            raise ValueError(
                f"Heads share the width; got width={self.width} and heads={self.heads}."
            )
        h = Dense(self.width, name="narrow")(gelu(Dense(self.width, name="in")(v)))
        for i in range(self.blocks):
            h = nn.LayerNorm(1e-5, name=f"norm_{i}")(h + self._attended(h, i))
            wide = gelu(Dense(self.expansion * self.width, name=f"wide_{i}")(h))
            h = h + Dense(self.width, name=f"back_{i}")(wide)
            h = nn.LayerNorm(1e-5, name=f"outer_norm_{i}")(h)
        h = gelu(Dense(self.width, name="hidden")(nn.LayerNorm(1e-5, name="norm")(h)))
        small = nn.initializers.variance_scaling(0.01, "fan_in", "normal")
        bias, size = first_parameters(self.components), self.channels * (2 + 3 * self.components)
        raw = Dense(size, kernel_init=small, bias_init=bias, name="out")(h)
        raw = raw.reshape(*v.shape[:2], self.channels, -1)
        return MixtureParameters(self.components, name="bounds")(raw)

    def _attended(self, h: Series, i: int) -> Series:
        """What each element gets from all by attention; call in compact."""
        qkv = Dense(3 * self.width, name=f"qkv_{i}")(h)
        q, k, v = jnp.split(qkv.reshape(*h.shape[:2], 3 * self.heads, -1), 3, axis=-2)
        return Dense(self.width, name=f"heard_{i}")(attention(q, k, v).reshape(h.shape))
