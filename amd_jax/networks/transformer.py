"""Transformer: a modern denoiser that sees every token, its own included."""

import functools

import flax.linen as nn

from amd_jax.networks.blocks import (
    Block,
    check_counts,
    check_sizes,
    gelu,
    known_mask,
    logits,
    rms_norm,
    time_features,
)
from amd_jax.networks.precision import dropout_of
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.shapes import Read
from amd_jax.networks.taps import Taps
from amd_jax.types import Flags, Logits, Times


class Transformer(nn.Module):
    """Rotary Transformer with adaptive normalisation by log-SNR: (B, L) -> logits (B, L, K).

    Queries, keys, values and the MLP's hidden units come from one matrix. It works for any L.
    """

    num_classes: int  # K
    width: int = 512  # D
    blocks: int = 12
    heads: int = 8
    taps: int = 1  # width of the convolution of the one-hot input, odd; 1 for none
    expansion: int = 4
    exact_gelu: bool = False  # erf, or the faster tanh form
    dropout: float = 0.0
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards
    sees_known: bool = False  # whether it is told which tokens are data, and not noisy
    tied: bool = False  # the embeddings of the input's tokens are the last layer's matrix, too

    @nn.compact
    def __call__(
        self, x_t: Read, t: Times, *, train: bool = False, known: Flags | None = None
    ) -> Logits:
        """Logits, float32.

        `known` has an effect with `sees_known` only; by default nothing is known.
        """
        check_sizes(width=self.width, blocks=self.blocks, expansion=self.expansion)
        check_counts(blocks=self.blocks, taps=self.taps)
        if self.taps % 2 == 0:
            raise ValueError(f"The input's convolution needs an odd width; got taps={self.taps}.")
        time = time_features(t)
        known = known_mask(x_t, known) if self.sees_known else None
        reach = self.taps // 2
        around = tuple((j,) for j in range(-reach, reach + 1))
        first = Taps(self.width, self.num_classes, around, self.dtype, name="in")
        h = first(x_t, known)
        block = functools.partial(
            recomputed(Block, self.remat),
            heads=self.heads,
            expansion=self.expansion,
            activation=gelu(self.exact_gelu),
            dropout=dropout_of(self.dropout, train),
        )
        for i in range(self.blocks):
            h = block(name=f"block_{i}")(h, time)
        tied = first.embedding() if self.tied else None
        return logits(rms_norm(h), self.num_classes, self.log_frequencies, tied)
