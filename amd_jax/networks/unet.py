"""UNet: the paper's denoiser of label maps."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from amd_jax.networks.blocks import Embed, Linear, check_sizes, uniform
from amd_jax.networks.embeddings import sinusoid
from amd_jax.networks.precision import Conv, Dense, Dropout, compute_dtype
from amd_jax.networks.primitives.attention import softmax
from amd_jax.networks.primitives.convolution import conv_general_dilated
from amd_jax.networks.primitives.depthwise import shift
from amd_jax.networks.primitives.matmul import matmul
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.shapes import Read, Vectors
from amd_jax.types import Array, Floats, Latents, Logits, Times

HEAD_WIDTH = 32


class UNet(nn.Module):
    """Logits of p(x_0 | x_t) for maps: x_t (B, H, W) int, t (B,) in [0, 1] -> (B, H, W, K).

    Residual blocks of convolutions at ever coarser resolutions and back, what was seen on the way
    down joined on the way up; linear attention closes each level. The defaults are the paper's
    network for Cityscapes, 29.8 M parameters. Hoogeboom et al., 2021, appendix B, and the authors'
    code, whose first level has nothing to join: its resolution is reached one level earlier.
    """

    num_classes: int  # K
    dim: int = 64
    multipliers: tuple[int, ...] = (1, 2, 4, 8)  # of dim, a level each; the first is 1
    heads: int = 4  # of the attention
    groups: int = 8  # of the normalisation
    dropout: float = 0.1  # after the first block of each level on the way down
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards

    @nn.compact
    def __call__(self, x_t: Read, t: Times, *, train: bool = False) -> Logits:
        """The logits of maps, float32; `train` turns dropout on."""
        time = Dense(4 * self.dim, name="time_in")(sinusoid(t, self.dim))
        time = Dense(self.dim, name="time_out")(mish(time))
        h = Embed(
            self.num_classes, self.dim, name="embed", embedding_init=nn.initializers.normal(1.0)
        )(x_t)
        self._check(h.shape[:-1])
        h = h.astype(compute_dtype(self.dtype))
        widths, seen = [self.dim * m for m in self.multipliers], []
        last = len(widths) - 1
        for i, width in enumerate(widths):
            h = self._block(width, f"down_{i}_first")(h, time)
            h = Dropout(self.dropout, deterministic=not train)(h)
            h = self._block(width, f"down_{i}_second")(h, time)
            h = self._attention(f"down_{i}_attention")(h)
            seen.append(h)
            if i < last:
                h = Conv(width, (3, 3), 2, padding=1, name=f"down_{i}")(h)
        h = self._block(widths[-1], "middle_first")(h, time)
        h = self._attention("middle_attention")(h)
        h = self._block(widths[-1], "middle_second")(h, time)
        for i in range(last, 0, -1):
            h = self._block(widths[i - 1], f"up_{i}_first")(
                jnp.concatenate([h, seen[i]], axis=-1), time
            )
            h = self._block(widths[i - 1], f"up_{i}_second")(h, time)
            h = self._attention(f"up_{i}_attention")(h)
            h = Upsample(widths[i - 1], name=f"up_{i}")(h)
        h = Convolution(self.dim, self.groups, name="last")(h)
        return Dense(self.num_classes, name="out")(h.astype(jnp.float32))

    def _block(self, width: int, name: str) -> nn.Module:
        return recomputed(ResidualBlock, self.remat)(width, self.groups, name=name)

    def _attention(self, name: str) -> nn.Module:
        return recomputed(LinearAttention, self.remat)(self.heads, name=name)

    def _check(self, shape: tuple[int, ...]) -> None:
        """Raises ValueError for sizes that do not fit."""
        check_sizes(dim=self.dim, groups=self.groups, heads=self.heads)
        if not self.multipliers or self.multipliers[0] != 1:
            raise ValueError(
                f"A UNet ends at the width of its first level: multipliers start with 1; "
                f"got {self.multipliers}."
            )
        if self.dim % self.groups:
            raise ValueError(
                f"A UNet needs dim to be a multiple of groups; got dim={self.dim} and "
                f"groups={self.groups}."
            )
        factor = 2 ** (len(self.multipliers) - 1)
        if len(shape) != 3 or any(size % factor for size in shape[1:]):
            raise ValueError(
                f"A UNet of {len(self.multipliers)} levels needs maps (B, H, W) whose sides "
                f"{factor} divides; got {shape}. Use fewer multipliers, or crop the maps."
            )


class ResidualBlock(nn.Module):
    """Two convolutions with the time added between them, beside the input: (.., C) -> (.., D)."""

    width: int  # D
    groups: int

    @nn.compact
    def __call__(self, x: Latents, time: Vectors) -> Float[Array, "B *event D"]:
        """The block applied to x at features of the time."""
        h = Convolution(self.width, self.groups, name="first")(x)
        h = h + Dense(self.width, name="time")(mish(time))[:, None, None]
        h = Convolution(self.width, self.groups, name="second")(h.astype(x.dtype))
        return h + (x if x.shape[-1] == self.width else Dense(self.width, name="skip")(x))


class Convolution(nn.Module):
    """3x3 convolution, group normalisation, mish: (B, H, W, C) -> (B, H, W, D)."""

    width: int  # D
    groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W D"]:
        """The block applied to x."""
        convolve = conv_general_dilated
        conv = Conv(
            self.width, (3, 3), kernel_init=uniform, conv_general_dilated=convolve, name="conv"
        )
        return recomputed(Convolution._activate, cpu_only=True)(self, conv(x))

    def _activate(self, h: Floats) -> Floats:
        norm = nn.GroupNorm(self.groups, epsilon=1e-5, dtype=h.dtype, name="norm")
        return mish(norm(h))


class LinearAttention(nn.Module):
    """x + gate * (q (k'^T v)), k' = softmax(k) over the positions: (B, H, W, C) -> the same.

    Queries are as they come; the gate is 0 at first (ReZero).
    """

    heads: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        """The attention added to x."""
        batch, height, width, channels = x.shape
        inner = self.heads * HEAD_WIDTH
        qkv = Linear(3 * inner, name="qkv")(x.reshape(batch, -1, channels))
        q, k, v = jnp.split(qkv, 3, axis=-1)
        # Every head with every other, then the own ones: cheaper than moving heads in memory
        same_head = np.kron(np.eye(self.heads), np.ones((HEAD_WIDTH, HEAD_WIDTH))).astype(bool)
        context = jnp.where(same_head, softmax(k, axis=1).mT @ v, 0.0)
        out = (q @ context).reshape(batch, height, width, inner)
        gate = self.param("gate", nn.initializers.zeros, ())
        return (x + gate * Linear(channels, use_bias=True, name="out")(out)).astype(x.dtype)


def mish(x: Floats) -> Floats:
    """x tanh(softplus(x)), with a single exponential (Misra, 2019)."""
    wide = x.astype(jnp.float32)  # its slope is a difference of large numbers
    e = jnp.exp(jnp.minimum(wide, 20.0))  # beyond, the tanh is 1 in float32
    n = e * (e + 2)
    return (wide * (n / (n + 2))).astype(x.dtype)


class Upsample(nn.Module):
    """Maps of twice the size by a transposed convolution: (B, H, W, C) -> (B, 2H, 2W, features).

    y[2h + i - 1, 2w + j - 1] += x[h, w] kernel[i, j], i and j in 0 … 3.
    """

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B 2*H 2*W F"]:
        """The enlarged maps."""
        batch, height, width, channels = x.shape
        init = nn.initializers.variance_scaling(1 / 3, "fan_out", "uniform")
        kernel = self.param("kernel", init, (4, 4, channels, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        flat = kernel.transpose(2, 0, 1, 3).reshape(channels, -1)
        parts = matmul(x, flat).reshape(batch, height, width, 4, 4, self.features)
        rows = _overlapped(parts, 1, 3)  # (B, 2H, W, 4, features)
        return (_overlapped(rows, 2, 3) + bias).astype(x.dtype)


def _overlapped(parts: Float[Array, "..."], axis: int, window: int) -> Float[Array, "..."]:
    """Windows of 4 laid out with stride 2 and summed: `axis` doubles, the `window` axis goes."""
    first, second, third, fourth = jnp.moveaxis(parts, window, 0)
    others = (0,) * (axis - 1)
    even = second + shift(fourth, *others, 1)
    odd = third + shift(first, *others, -1)
    shape = list(even.shape)
    shape[axis] *= 2
    return jnp.stack([even, odd], axis=axis + 1).reshape(shape)
