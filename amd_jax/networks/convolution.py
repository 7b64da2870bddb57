"""3x3 convolutions that are fast on a CPU; beside them, the plain twin.

XLA's own are slow there, their weight gradient most of all. Here a convolution is one of two sets
of matrix products: Winograd's minimal filtering F(2x2, 3x3), which needs 4 products where the
definition has 9 (Lavin and Gray, 2016, sec. 4.1), or, where the map is small beside the channels,
one product of all windows with the kernel. Both serve forward, input and weight gradient alike.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from amd_jax.networks.blocks import shift
from amd_jax.networks.matmul import matmul
from amd_jax.types import Array

# Lavin and Gray, 2016, eq. 7: a 4x4 tile of the input, the kernel, and the 2x2 tile of the output
TILE = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)
KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)


class Conv3x3(nn.Module):
    """A convolution of maps with windows of 3 x 3, padded with zeros: (B, H, W, C) -> features."""

    features: int
    kernel_init: nn.initializers.Initializer = nn.initializers.variance_scaling(
        1 / 3, "fan_in", "uniform"
    )

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The convolved maps (B, H, W, features)."""
        kernel = self.param("kernel", self.kernel_init, (3, 3, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return convolve(x, kernel) + bias


class Upsample(nn.Module):
    """Maps of twice the size by a transposed convolution: (B, H, W, C) -> (B, 2H, 2W, features).

    y[2h + i - 1, 2w + j - 1] += x[h, w] kernel[i, j], i and j in 0 … 3.
    """

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The enlarged maps."""
        batch, height, width, channels = x.shape
        init = nn.initializers.variance_scaling(1 / 3, "fan_out", "uniform")
        kernel = self.param("kernel", init, (4, 4, channels, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        flat = kernel.transpose(2, 0, 1, 3).reshape(channels, -1)
        parts = matmul(x, flat).reshape(batch, height, width, 4, 4, self.features)
        rows = _overlapped(parts, 1, 3)  # (B, 2H, W, 4, features)
        return _overlapped(rows, 2, 3) + bias


def _overlapped(parts: Array, axis: int, window: int) -> Array:
    """Windows of 4 laid out with stride 2 and summed: `axis` doubles, the `window` axis goes."""
    first, second, third, fourth = jnp.moveaxis(parts, window, 0)
    others = (0,) * (axis - 1)
    even = second + shift(fourth, *others, 1)
    odd = third + shift(first, *others, -1)
    shape = list(even.shape)
    shape[axis] *= 2
    return jnp.stack([even, odd], axis=axis + 1).reshape(shape)


def convolve(x: Array, kernel: Array) -> Array:
    """y[h, w] = Σ_ij x[h + i - 1, w + j - 1] kernel[i, j]: (B, H, W, C), (3, 3, C, O) -> (.., O).

    Outside of the map x is zero.
    """
    return lax.platform_dependent(x, kernel, cpu=products_convolve, default=plain_convolve)


def plain_convolve(x: Array, kernel: Array) -> Array:
    """The convolution as XLA has it; the shapes of `convolve`."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)


@jax.custom_vjp
def products_convolve(x: Array, kernel: Array) -> Array:
    """The convolution by matrix products; the shapes of `convolve`."""
    return (_by_tiles if _has_many_tiles(x, kernel) else _by_windows)(x, kernel)


def _forward(x, kernel):
    return products_convolve(x, kernel), (x, kernel)


def _backward(residuals, d_y):
    x, kernel = residuals
    d_x = products_convolve(d_y, kernel[::-1, ::-1].swapaxes(2, 3))
    gradient = _tiles_gradient if _has_many_tiles(x, kernel) else _windows_gradient
    return d_x, gradient(x, d_y)


products_convolve.defvjp(_forward, _backward)


def _has_many_tiles(x: Array, kernel: Array) -> bool:
    """Whether turning x into tiles pays: it costs memory, and the kernel is turned as well."""
    batch, height, width, _ = x.shape
    even = height % 2 == width % 2 == 0
    return even and batch * height * width // 4 >= max(kernel.shape[2:])


def _by_windows(x: Array, kernel: Array) -> Array:
    """Windows times kernel."""
    return _windows(x) @ kernel.reshape(-1, kernel.shape[-1])


def _windows_gradient(x: Array, d_y: Array) -> Array:
    """The gradient of the kernel (3, 3, C, O)."""
    windows, rows = _windows(x), d_y.reshape(-1, d_y.shape[-1])
    d_kernel = windows.reshape(len(rows), -1).T @ rows
    return d_kernel.reshape(3, 3, x.shape[-1], d_y.shape[-1])


def _windows(x: Array) -> Array:
    """The nine neighbours of every position side by side: (B, H, W, C) -> (B, H, W, 9 C)."""
    _, height, width, _ = x.shape
    x = _padded(x)
    places = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(places, axis=-1)


def _by_tiles(x: Array, kernel: Array) -> Array:
    """A^T [(G g G^T) ⊙ (B^T d B)] A, where ⊙ is a product over the channels."""
    batch, height, width, _ = x.shape
    out = _sandwich(OUTPUT, _tiles(x) @ _sandwich(KERNEL, kernel))
    out = out.reshape(2, 2, batch, height // 2, width // 2, -1)
    return out.transpose(2, 3, 0, 4, 1, 5).reshape(batch, height, width, -1)


def _tiles_gradient(x: Array, d_y: Array) -> Array:
    """The gradient of the kernel (3, 3, C, O): every map of `_by_tiles`, transposed."""
    batch, height, width, features = d_y.shape
    d_out = d_y.reshape(batch, height // 2, 2, width // 2, 2, features)
    d_out = d_out.transpose(2, 4, 0, 1, 3, 5).reshape(2, 2, -1, features)
    return _sandwich(KERNEL.T, _tiles(x).mT @ _sandwich(OUTPUT.T, d_out))


def _tiles(x: Array) -> Array:
    """B^T d B of the 4x4 tiles d that start at every second place: (4, 4, tiles, C)."""
    _, height, width, channels = x.shape
    x = _padded(x)
    rows = jnp.stack([x[:, i : i + height - 1 : 2] for i in range(4)])
    places = jnp.stack([rows[:, :, :, j : j + width - 1 : 2] for j in range(4)], axis=1)
    return _sandwich(TILE, places.reshape(4, 4, -1, channels))


def _padded(x: Array) -> Array:
    """The maps with a rim of zeros."""
    return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _sandwich(matrix: np.ndarray, square: Array) -> Array:
    """M S M^T over the first two axes of S, written out: M holds only 0, ±1/2 and ±1."""
    halfway = jnp.stack([_combine(row, square) for row in matrix])
    return jnp.stack([_combine(row, halfway.swapaxes(0, 1)) for row in matrix], axis=1)


def _combine(weights: np.ndarray, arrays: Array) -> Array:
    """The weighted sum over the first axis, without the terms of weight 0."""
    return sum(float(w) * a for w, a in zip(weights, arrays, strict=True) if w)
