"""The first layer of a network of tokens: a linear map of those around each position."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.networks.blocks import marked
from amd_jax.networks.embeddings import is_real
from amd_jax.networks.precision import compute_dtype
from amd_jax.networks.primitives.depthwise import shift
from amd_jax.networks.primitives.matmul import matmul
from amd_jax.networks.shapes import Features, Read
from amd_jax.types import Array, Flags

Index = Integer[Array, "B *event J E"]
Embedding = Float[Array, "K F"]
LOOKED_UP = 1024  # from so many classes on, one-hots would be the largest arrays of a network


class Taps(nn.Module):
    """Σ_j kernel_j[x at offset j], nothing beyond the ends: x (B, ...) -> (B, ..., features).

    Real vectors (B, ..., C) in the place of tokens are multiplied with the kernels. With `known`,
    bool (B, ...), every token that is known adds a row of its own.
    """

    features: int
    num_classes: int  # K
    offsets: tuple[tuple[int, ...], ...]  # J, how far before a place, on each axis
    dtype: str = "float32"  # of what comes out; or "bfloat16"

    @nn.compact
    def __call__(self, x: Read, known: Flags | None = None) -> Features:
        """The sums."""
        dtype = compute_dtype(self.dtype)
        columns = self.num_classes if known is None else 2 * self.num_classes
        if is_real(x):
            x = x if known is None else marked(x, known)
            columns = x.shape[-1]
        size = (len(self.offsets) * columns, self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), size)
        if is_real(x):
            near = [shift(x.astype(dtype), *far) for far in self.offsets]
            return matmul(jnp.concatenate(near, axis=-1), kernel)
        each = [x] if known is None else [x, jnp.where(known, self.num_classes + x, -1)]
        rows = jnp.stack(each, axis=-1) + 1  # 0 is nothing, as beyond the ends
        near = [shift(rows, *far) for far in self.offsets]
        return read(jnp.stack(near, axis=-2) - 1, kernel, dtype)

    def embedding(self) -> Embedding:
        """The kernel of the tokens at their own position, once the layer was called."""
        kernel: Float[Array, "JC F"] = self.get_variable("params", "kernel")
        own = self.offsets.index((0,) * len(self.offsets[0]))
        return kernel[own * len(kernel) // len(self.offsets) :][: self.num_classes]


class Rows(nn.Module):
    """`read` with a kernel of its own: rows (B, ..., J, E) of `columns` -> (B, ..., features)."""

    features: int
    columns: int  # C, of each of the J kernels
    dtype: str = "float32"  # of what comes out; or "bfloat16"

    @nn.compact
    def __call__(self, rows: Index) -> Features:
        """The sums."""
        size = (rows.shape[-2] * self.columns, self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), size)
        return read(rows, kernel, compute_dtype(self.dtype))

    def embedding(self) -> Embedding:
        """The first of the J kernels, once the layer was called."""
        return self.get_variable("params", "kernel")[: self.columns]


def read(rows: Index, kernel: Float[Array, "JC F"], dtype: jnp.dtype) -> Features:
    """Σ_j Σ_e kernel_j[rows_je], in `dtype`; -1 is no row.

    With few columns C it is a product with one-hots, whose gradient is one too. With many the rows
    are looked up, and no array has C columns.
    """
    *places, taps, _ = rows.shape
    columns = len(kernel) // taps
    if columns < LOOKED_UP:
        hot = jax.nn.one_hot(rows, columns, dtype=dtype).sum(axis=-2)
        return matmul(hot.reshape(*places, -1), kernel)
    index = jnp.where(rows < 0, len(kernel), rows + columns * jnp.arange(taps)[:, None])
    result = kernel.at[index].get(mode="fill", fill_value=0)
    return result.sum(axis=(-3, -2)).astype(dtype)
