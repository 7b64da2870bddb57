"""3x3 convolutions, with the gradient of the kernel as a matrix product; the plain twin beside it.

On a CPU, XLA's own gradient of the kernel takes up to twice as long, and within a loop, as
of `transforms.repeated`, tens of times.
"""

import jax
import jax.numpy as jnp
from jax import lax

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
    return lax.platform_dependent(x, kernel, cpu=correlating_convolve, default=plain_convolve)


def plain_convolve(x: Array, kernel: Array) -> Array:
    """The convolution as XLA has it; the shapes of `convolve`."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)


@jax.custom_vjp
def correlating_convolve(x: Array, kernel: Array) -> Array:
    """As `convolve`; the gradient of the kernel is one `correlation`."""
    return plain_convolve(x, kernel)


def _forward(x, kernel):
    return plain_convolve(x, kernel), (x, kernel)


def _backward(residuals, d_y):
    x, kernel = residuals
    d_x = plain_convolve(d_y, kernel[::-1, ::-1].swapaxes(2, 3))
    (x,), d_y = ordered((x,), d_y)  # else what is made of x for all layers is there all along
    if x.shape[-1] <= d_y.shape[-1]:  # the narrower map is turned
        return d_x, correlation(x, d_y)
    return d_x, correlation(d_y, x)[::-1, ::-1].swapaxes(2, 3)


correlating_convolve.defvjp(_forward, _backward)


def correlation(x: Array, y: Array) -> Array:
    """Σ_bhw x[b, h + i - 1, w + j - 1] y[b, h, w]: (B, H, W, C), (B, H, W, O) -> (3, 3, C, O).

    One product, of x at three columns and y at three rows: three copies of each, not nine of one.
    """
    channels, features = x.shape[-1], y.shape[-1]
    turned = lax.optimization_barrier(jnp.moveaxis(_padded(x, 2), -1, 0))
    columns = lax.optimization_barrier(jnp.stack(_shifted(turned, 3)))
    rows = lax.optimization_barrier(jnp.concatenate(_shifted(_padded(y, 1), 1)[::-1], axis=-1))
    found = columns.reshape(3 * channels, -1) @ rows.reshape(-1, 3 * features)
    return found.reshape(3, channels, 3, features).transpose(2, 0, 1, 3)


def _padded(x: Array, axis: int) -> Array:
    """With a zero at both ends of an axis, and in memory: what x is made of is computed once."""
    ends = [(int(i == axis), int(i == axis)) for i in range(x.ndim)]
    return lax.optimization_barrier(jnp.pad(x, ends))


def _shifted(padded: Array, axis: int) -> list[Array]:
    """What lies before, at and after each place of an axis, which is padded."""
    size = padded.shape[axis] - 2
    return [lax.slice_in_dim(padded, i, i + size, axis=axis) for i in range(3)]
