"""AutoregressiveTransformer: as `AutoregressiveLSTM`, with attention over the positions before."""

import functools

import flax.linen as nn
import jax.numpy as jnp

from amd_jax.networks.blocks import Block, Cache, check_sizes, rms_norm
from amd_jax.networks.lstm import ChannelNet, Linear, MixtureParameters, StepFeatures, gelu
from amd_jax.networks.precision import compute_dtype
from amd_jax.networks.primitives.depthwise import shift
from amd_jax.types import Array


class AutoregressiveTransformer(nn.Module):
    """Mixture parameters of each scalar given all before it: v (B, L, C) -> (B, L, C, P).

    A rotary Transformer over the positions before, in training all at once, and a masked net over
    the channels of each, which walks as `transforms.autoregressive` says: with the keys and values
    of what it has read.
    """

    width: int  # D
    components: int  # M, logistics in a mixture
    blocks: int = 2
    heads: int = 4
    expansion: int = 4
    octaves: int = 5  # of sines and cosines of the numbers before
    input_dropout: float = 0.0  # of whole steps
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    def setup(self):
        check_sizes(components=self.components, blocks=self.blocks, heads=self.heads)
        self.steps = StepFeatures(2 * self.width, self.input_dropout, self.octaves)
        block = functools.partial(Block, causal=True, heads=self.heads, expansion=self.expansion)
        self.block = [block(activation=gelu) for _ in range(self.blocks)]
        self.narrow = Linear(self.width)
        self.channels = ChannelNet(self.components)
        self.bounds = MixtureParameters(self.components)

    def __call__(self, v: Array, *, train: bool = False) -> Array:
        """The parameters (B, L, C, P), all at once."""
        v = v.astype(compute_dtype(self.dtype))
        h = shift(self.steps(v, train=train), 1)
        for block in self.block:
            h = block(h)
        return self.bounds(self.channels(gelu(self.narrow(rms_norm(h))), v))

    def start(self, batch: int, length: int) -> tuple[Cache, ...]:
        """What `advance` carries before the first of `length` positions: keys and values."""
        empty = (batch, length, self.heads, self.width // self.heads)
        return ((jnp.zeros(empty, compute_dtype(self.dtype)),) * 2,) * self.blocks

    def advance(self, carry: tuple, previous: Array, p: Array) -> tuple[tuple, Array]:
        """Goes to position p () with v (B, C) of position p - 1; its features are (B, D)."""
        previous = previous.astype(compute_dtype(self.dtype))
        h = jnp.where(p > 0, self.steps(previous, jnp.maximum(p - 1, 0)), 0.0)[:, None]
        caches = []
        for block, cache in zip(self.block, carry, strict=True):
            h, cache = block(h, None, cache, p)
            caches.append(cache)
        return tuple(caches), gelu(self.narrow(rms_norm(h[:, 0])))

    def channel(self, features: Array, v: Array, c: int) -> Array:
        """The parameters (B, P) of channel c of a position; reads v (B, C) before c only."""
        return self.bounds(self.channels(features, v.astype(features.dtype), c), c)
