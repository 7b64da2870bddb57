"""3x3 convolutions, with the gradient of the kernel as a matrix product; the plain twin beside it.

On a CPU, XLA's own gradient of the kernel takes up to twice as long, and within a loop, as
of `transforms.repeated`, tens of times.
"""

import jax
import jax.numpy as jnp
from jax import lax

from amd_jax.networks.primitives.matmul import transposed_matmul
from amd_jax.networks.primitives.recompute import ordered
from amd_jax.types import Array


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
    return lax.platform_dependent(x, kernel, cpu=convolve_by_patches, default=plain_convolve)


def plain_convolve(x: Array, kernel: Array) -> Array:
    """The convolution as XLA has it; the shapes of `convolve`."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)


@jax.custom_vjp
def convolve_by_patches(x: Array, kernel: Array) -> Array:
    """As `convolve`; its gradient is a product with the 3x3 patches of the narrower map."""
    return plain_convolve(x, kernel)


def _forward(x, kernel):
    return plain_convolve(x, kernel), (x, kernel)


def _backward(residuals, d_y):
    x, kernel = residuals
    d_x = plain_convolve(d_y, kernel[::-1, ::-1].swapaxes(2, 3))
    channels, features = kernel.shape[2:]
    if channels <= features:
        (x,), d_y = ordered((x,), d_y)  # else the patches of all layers are there all along
        d_kernel = transposed_matmul(_patches(x), d_y.reshape(-1, features))
        return d_x, d_kernel.reshape(kernel.shape)
    d_kernel = transposed_matmul(x.reshape(-1, channels), _patches(d_y))
    d_kernel = d_kernel.reshape(channels, 3, 3, features).transpose(1, 2, 0, 3)
    return d_x, d_kernel[::-1, ::-1]


convolve_by_patches.defvjp(_forward, _backward)


def _patches(x: Array) -> Array:
    """What every place sees of x (B, H, W, C), row by row: (B H W, 9 C)."""
    _, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return lax.optimization_barrier(jnp.concatenate(places, axis=-1).reshape(-1, 9 * channels))
