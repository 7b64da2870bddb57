"""AutoregressiveTransformer: `AutoregressiveLSTM` with attention over earlier positions."""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.networks.blocks import Block, Cache, check_counts, check_sizes, rms_norm
from amd_jax.networks.lstm import ChannelNet, Linear, MixtureParameters, StepFeatures, gelu
from amd_jax.networks.precision import compute_dtype
from amd_jax.networks.primitives.depthwise import shift
from amd_jax.networks.shapes import Place, Vectors
from amd_jax.types import Array, Latents, Series


class AutoregressiveTransformer(nn.Module):
    """Mixture parameters of each scalar given all before it: v (B, L, C) -> (B, L, C, P).

    A rotary Transformer over the positions before, in training all at once, and a masked net over
    the channels of each, which walks as `transforms.autoregressive` says: with the keys and values
    of what it has read. Its input at a position shows the `taps` before it side by side: what
    lies near need not be found by attention first.
    """

    width: int  # D
    components: int  # M, logistics in a mixture
    blocks: int = 2
    heads: int = 4
    taps: int = 1  # positions before its own that an input shows at once
    expansion: int = 4
    octaves: int = 5  # of sines and cosines of the numbers before
    input_dropout: float = 0.0  # of whole steps
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    def setup(self):
        check_sizes(components=self.components, blocks=self.blocks)
        check_sizes(heads=self.heads, taps=self.taps)
        check_counts(blocks=self.blocks, taps=self.taps)
        self.steps = StepFeatures(self.width, self.input_dropout, self.octaves)
        self.joined = Linear(self.width)
        block = functools.partial(Block, causal=True, heads=self.heads, expansion=self.expansion)
        self.block = [block(activation=gelu) for _ in range(self.blocks)]
        self.narrow = Linear(self.width)
        self.channels = ChannelNet(self.components)
        self.bounds = MixtureParameters(self.components)

    def __call__(self, v: Series, *, train: bool = False) -> Float[Array, "B L C P"]:
        """The parameters, all at once."""
        v = v.astype(compute_dtype(self.dtype))
        steps = self.steps(v, train=train)
        h = self.joined(jnp.concatenate([shift(steps, n + 1) for n in range(self.taps)], axis=-1))
        for block in self.block:
            h = block(h)
        return self.bounds(self.channels(gelu(self.narrow(rms_norm(h))), v))

    def start(self, batch: int, length: int) -> tuple[Float[Array, "B taps F"], tuple[Cache, ...]]:
        """What `advance` carries before the first of `length` positions: steps, keys, values."""
        dtype = compute_dtype(self.dtype)
        cache = (jnp.zeros((batch, length, self.heads, self.width // self.heads), dtype),) * 2
        before = jnp.zeros((batch, self.taps, self.width // 2), dtype)
        return before, (cache,) * self.blocks

    def advance(self, carry: tuple, previous: Latents, p: Place) -> tuple[tuple, Vectors]:
        """Goes to position p with v of position p - 1: the carry, and the features of p."""
        before, caches = carry
        last = self.steps(previous.astype(before.dtype), jnp.maximum(p - 1, 0))
        last = jnp.where(p > 0, last, 0.0)[:, None]
        before = jnp.concatenate([last, before[:, :-1]], axis=1)
        h = self.joined(before.reshape(len(before), 1, -1))
        kept = []
        for block, cache in zip(self.block, caches, strict=True):
            h, cache = block(h, None, cache, p)
            kept.append(cache)
        return (before, tuple(kept)), gelu(self.narrow(rms_norm(h[:, 0])))

    def channel(self, features: Vectors, v: Latents, c: int) -> Float[Array, "B P"]:
        """The parameters of channel c of a position; reads the channels of v before c only."""
        return self.bounds(self.channels(features, v.astype(features.dtype), c), c)
