"""Matrix products whose gradients are laid out for the machine; beside each, its plain twin.

Differentiation by itself asks for products with the long axis, B * L, in a place that the CPU
kernels dislike.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from amd_jax.types import Array, Floats

Left = Float[Array, "*batch M N"]
Right = Float[Array, "*batch M P"]
Inner = Float[Array, "*batch N P"]


def product(a: Float[Array, "... M N"], b: Float[Array, "... N P"]) -> Float[Array, "... M P"]:
    """a @ b of two arrays of one dtype, in the float32 of its sums; float64 stays that."""
    return jnp.matmul(a, b, preferred_element_type=jnp.promote_types(a.dtype, jnp.float32))


def at_least_single(a: Floats) -> Floats:
    """The array in float32; float64, which only tests have, stays that."""
    return a.astype(jnp.promote_types(a.dtype, jnp.float32))


def transposed_matmul(a: Left, b: Right) -> Inner:
    """a^T b over the last two axes.

    On a CPU the narrower factor is turned in memory first, and barriers keep XLA from undoing it:
    its kernel for a^T b is slower than the one for a b. Other backends get a^T b.
    """
    return lax.platform_dependent(
        a, b, cpu=turned_transposed_matmul, default=plain_transposed_matmul
    )


def plain_transposed_matmul(a: Left, b: Right) -> Inner:
    """The product as one writes it."""
    return a.mT @ b


def turned_transposed_matmul(a: Left, b: Right) -> Inner:
    """The product with its narrower factor turned first."""
    if a.shape[-1] <= b.shape[-1]:
        return lax.optimization_barrier(a.mT) @ b
    return lax.optimization_barrier(lax.optimization_barrier(b.mT) @ a).mT


def plain_matmul(x: Float[Array, "*b N"], kernel: Float[Array, "N P"]) -> Float[Array, "*b P"]:
    """The product as one writes it."""
    return x @ kernel


def matmul(x: Float[Array, "*b N"], kernel: Float[Array, "N P"]) -> Float[Array, "*b P"]:
    """x @ kernel with all positions in one long matrix, in the dtype of x."""
    return _matmul(x, kernel.astype(x.dtype))


@jax.custom_vjp
def _matmul(x, kernel):
    return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], -1)


def _forward(x, kernel):
    return _matmul(x, kernel), (x, kernel)


def _backward(residuals, d_out):
    x, kernel = residuals
    rows = d_out.reshape(-1, d_out.shape[-1])
    d_kernel = transposed_matmul(x.reshape(-1, x.shape[-1]), rows)
    return (rows @ kernel.T).reshape(x.shape), d_kernel


_matmul.defvjp(_forward, _backward)


def dense_dot_general(x, kernel, dimension_numbers, precision=None, preferred_element_type=None):
    """`matmul` in the form that `nn.Dense(dot_general=...)` asks for."""
    del dimension_numbers, precision, preferred_element_type  # nn.Dense has one layout
    return matmul(x, kernel)
