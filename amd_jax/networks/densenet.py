"""DenseNet: densely connected convolutions, the conditioner of couplings on maps."""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.networks.blocks import check_counts, check_sizes
from amd_jax.networks.precision import Conv, Dense, Dropout, compute_dtype, dropout_of
from amd_jax.networks.primitives.convolution import conv_general_dilated
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.shapes import Features
from amd_jax.types import Array, Latents


class DenseNet(nn.Module):
    """Residual blocks of densely connected convolutions: (B, ..., C) -> (B, ..., num_outputs).

    For maps (B, H, W, C) and sequences (B, L, C): kernels are 3 wide along every axis between
    batch and channels, and pad with zeros. A layer sees the block's input and the output of all
    layers before it (Huang et al., 2017, sec. 3). The output starts at zero, so that a coupling
    starts where its bijection has θ = 0. Features that it reads must not start there, too
    (`zero_start`): of zeros alone such a coupling learns nothing. As in Nielsen et al., 2020
    (SurVAE Flows).
    """

    num_outputs: int
    blocks: int
    growth: int  # channels that each layer adds
    depth: int  # layers in a block
    dropout: float = 0.0
    width: int = 64  # channels between the blocks
    zero_start: bool = True  # of the last matrix
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards

    @nn.compact
    def __call__(self, x: Latents, *, train: bool = False) -> Features:
        """The outputs for x, float32."""
        check_sizes(blocks=self.blocks, growth=self.growth, depth=self.depth, width=self.width)
        check_counts(blocks=self.blocks, depth=self.depth)
        if x.ndim < 3:
            raise ValueError(
                f"DenseNet convolves x (B, ..., C) along the axes between; got shape {x.shape}. "
                "Use nn.Dense layers where there are none."
            )
        h = Dense(self.width, name="in")(x.astype(compute_dtype(self.dtype)))
        dropout = dropout_of(self.dropout, train)
        for i in range(self.blocks):
            block = functools.partial(DenseNet._block, i=i, dropout=dropout)
            h = recomputed(block, self.remat)(self, h)
        init = nn.initializers.zeros if self.zero_start else nn.initializers.lecun_normal()
        out = Dense(self.num_outputs, kernel_init=init, name="out")
        return out(h.astype(jnp.float32))

    def _block(self, h: Latents, i: int, dropout: float) -> Latents:
        """Block i, added to its input; call in compact."""
        dense = h
        for j in range(self.depth):
            layer = _Layer(self.growth, dropout, name=f"layer_{i}_{j}")
            dense = jnp.concatenate([dense, layer(dense)], axis=-1)
        return h + Dense(self.width, name=f"back_{i}")(dense)


class _Layer(nn.Module):
    """1x1 convolution, ReLU, then the convolution that adds `growth` channels, ReLU."""

    growth: int
    dropout: float

    @nn.compact
    def __call__(self, h: Latents) -> Float[Array, "B *event growth"]:
        h = nn.relu(Dense(h.shape[-1], name="mix")(h))
        h = Dropout(self.dropout, deterministic=False)(h)
        windows, convolve = (3,) * (h.ndim - 2), conv_general_dilated
        return nn.relu(Conv(self.growth, windows, conv_general_dilated=convolve, name="conv")(h))
