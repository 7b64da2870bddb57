"""3x3 convolutions for a CPU, and their gradient; the plain twin beside them.

XLA's convolution of up to 64 features keeps one core busy. Its gradient of the kernel takes longer
than a product of matrices from 256 features on, and in a loop, as of `transforms.repeated`, ten
times as long and more.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from amd_jax.networks.primitives.depthwise import shifts
from amd_jax.networks.primitives.matmul import transposed_matmul
from amd_jax.networks.primitives.recompute import ordered, zero_after
from amd_jax.types import Array, Floats

Maps = Float[Array, "B H W C"]
Kernel = Float[Array, "3 3 C O"]

COLUMNS = ((0, 1), (0, 0), (0, -1))  # x[w + j - 1], for j = 0, 1, 2
ROWS = ((-1, 0), (0, 0), (1, 0))  # d_y[h - i + 1], for i = 0, 1, 2
FEW = range(33, 65)  # features, which XLA gives to one core; with fewer there is less to gain
PARTS = 16  # if more than eight can be computed, XLA wakes another thread
WORTH, CHANNELS = 1e9, 128  # FLOP at least, channels at most: each part has to be compiled


def conv_general_dilated(x, kernel, window_strides, padding, **more):
    """`convolve` for maps, XLA's convolution for all else, as nn.Conv(conv_general_dilated=...).

    For windows of 3, stride 1 and padding with zeros.
    """
    if x.ndim == 4:
        return convolve(x, kernel)
    return lax.conv_general_dilated(x, kernel, window_strides, padding, **more)


def convolve(x: Maps, kernel: Kernel) -> Float[Array, "B H W O"]:
    """y[h, w] = Σ_ij x[h + i - 1, w + j - 1] kernel[i, j], with zeros outside of the map."""
    return lax.platform_dependent(x, kernel, cpu=convolve_by_parts, default=plain_convolve)


def plain_convolve(x: Maps, kernel: Kernel) -> Float[Array, "B H W O"]:
    """The convolution as XLA has it."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)


@jax.custom_vjp
def convolve_by_parts(x: Maps, kernel: Kernel) -> Float[Array, "B H W O"]:
    """As `convolve`, of many maps by parts; the gradient of the kernel is one product of maps.

    That of x at three columns with the gradient at three rows: three copies of each, and not nine
    of one.
    """
    if not _worth_parts(x, kernel):
        return plain_convolve(x, kernel)
    # x / one is what x is, in memory of its own: no compiler makes a quotient twice
    one = 1 + zero_after(kernel).astype(x.dtype)
    parts = [part / one for part in jnp.array_split(x, min(PARTS, len(x)))]
    return _kept(parts, jnp.concatenate([plain_convolve(part, kernel) for part in parts]))


def _worth_parts(x: Maps, kernel: Kernel) -> bool:
    """Whether there are enough maps, and work enough for one core."""
    channels, features = kernel.shape[2:]
    flop = 2 * x.size * features * 9
    return len(x) > 8 and features in FEW and channels <= CHANNELS and flop > WORTH


def _kept(parts: list[Array], y: Floats) -> Floats:
    """y; until it is there no part's memory is given to other work, which would have to wait."""
    late = jnp.isnan(y.ravel()[0]).astype(jnp.int32)  # a place not known before y is
    total = sum(lax.dynamic_index_in_dim(part.ravel(), late, keepdims=False) for part in parts)
    return y + zero_after(jnp.isfinite(total).astype(y.dtype))


def _forward(x, kernel):
    return convolve_by_parts(x, kernel), (x, kernel)


def _backward(residuals, d_y):
    x, kernel = residuals
    d_x = convolve_by_parts(d_y, kernel[::-1, ::-1].swapaxes(2, 3))
    (x,), d_y = ordered((x,), d_y)  # else the copies of all layers are there all along
    d_kernel = transposed_matmul(_beside(x, COLUMNS), _beside(d_y, ROWS))  # (3 C, 3 O)
    channels, features = kernel.shape[2:]
    return d_x, d_kernel.reshape(3, channels, 3, features).transpose(2, 0, 1, 3)


convolve_by_parts.defvjp(_forward, _backward)


def _beside(x: Maps, offsets: tuple[tuple[int, int], ...]) -> Float[Array, "B*H*W 3*C"]:
    """Shifted copies of maps side by side, place by place."""
    copies = jnp.concatenate(shifts(x, offsets), axis=-1)
    return lax.optimization_barrier(copies.reshape(-1, copies.shape[-1]))
