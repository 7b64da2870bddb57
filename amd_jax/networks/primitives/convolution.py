"""3x3 convolutions as matrix products; beside them, the plain twin.

XLA's own convolutions are slow on a CPU, their weight gradient most of all. There Winograd's
minimal filtering F(2x2, 3x3) takes their place, 4 products of channels where the definition has 9
(Lavin and Gray, 2016, sec. 4.1): forward, for the input's gradient and for the kernel's alike.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from amd_jax.networks.primitives.matmul import product
from amd_jax.types import Array

# Lavin and Gray, 2016, eq. 7: a 4x4 tile of the input, the kernel, and the 2x2 tile of the output
TILE = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)
KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)


def conv_general_dilated(x, kernel, window_strides, padding, **more):
    """`convolve` for maps, XLA's convolution for all else, as nn.Conv(conv_general_dilated=...).

    For windows of 3, stride 1 and padding with zeros.
    """
    if x.ndim == 4:
        return convolve(x, kernel)
    return lax.conv_general_dilated(x, kernel, window_strides, padding, **more)


def convolve(x: Array, kernel: Array) -> Array:
    """y[h, w] = Σ_ij x[h + i - 1, w + j - 1] kernel[i, j]: (B, H, W, C), (3, 3, C, O) -> (.., O).

    Outside of the map x is zero.
    """
    return lax.platform_dependent(x, kernel, cpu=tiled_convolve, default=plain_convolve)


def plain_convolve(x: Array, kernel: Array) -> Array:
    """The convolution as XLA has it; the shapes of `convolve`."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)


@jax.custom_vjp
def tiled_convolve(x: Array, kernel: Array) -> Array:
    """A^T [(G g G^T) ⊙ (B^T d B)] A, where ⊙ is a product over the channels: as `convolve`."""
    _, height, width, _ = x.shape
    x = _even(x)
    batch, rows, columns, _ = x.shape
    out = _sandwich(OUTPUT, product(_tiles(x), _sandwich(KERNEL, kernel))).astype(x.dtype)
    out = out.reshape(2, 2, batch, rows // 2, columns // 2, -1).transpose(2, 3, 0, 4, 1, 5)
    return out.reshape(batch, rows, columns, -1)[:, :height, :width]


def _forward(x, kernel):
    return tiled_convolve(x, kernel), (x, kernel)


def _backward(residuals, d_y):
    """The kernel's gradient is every map of the forward pass, transposed."""
    x, kernel = residuals
    d_x = tiled_convolve(d_y, kernel[::-1, ::-1].swapaxes(2, 3))
    d_y = _even(d_y)
    batch, rows, columns, features = d_y.shape
    d_out = d_y.reshape(batch, rows // 2, 2, columns // 2, 2, features)
    d_out = d_out.transpose(2, 4, 0, 1, 3, 5).reshape(2, 2, -1, features)
    products = product(_tiles(_even(x)).mT, _sandwich(OUTPUT.T, d_out))
    return d_x, _sandwich(KERNEL.T, products).astype(kernel.dtype)


tiled_convolve.defvjp(_forward, _backward)


def _even(x: Array) -> Array:
    """Maps (B, H, W, C) with a row and a column of zeros more where their number is odd."""
    return jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)))


def _tiles(x: Array) -> Array:
    """B^T d B of the 4x4 tiles d that start at every second place: (4, 4, tiles, C)."""
    _, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = jnp.stack([x[:, i : i + height - 1 : 2] for i in range(4)])
    places = jnp.stack([rows[:, :, :, j : j + width - 1 : 2] for j in range(4)], axis=1)
    return _sandwich(TILE, places.reshape(4, 4, -1, channels))


def _sandwich(matrix: np.ndarray, square: Array) -> Array:
    """M S M^T over the first two axes of S, written out: M holds only 0, ±1/2 and ±1."""
    halfway = jnp.stack([_combine(row, square) for row in matrix])
    return jnp.stack([_combine(row, halfway.swapaxes(0, 1)) for row in matrix], axis=1)


def _combine(weights: np.ndarray, arrays: Array) -> Array:
    """The weighted sum over the first axis, without the terms of weight 0."""
    return sum(float(w) * a for w, a in zip(weights, arrays, strict=True) if w)
