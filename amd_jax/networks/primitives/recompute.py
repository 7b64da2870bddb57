"""Rematerialisation: what the backward pass computes anew instead of keeping it.

`jax.checkpoint` orders the second computation by barriers, which XLA drops on a CPU before it
chooses an order: everything is computed at once, and kept. There, the second computation is of the
input plus zero times the gradient that arrives, and cannot begin before that.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax.core import lift
from flax.linen.transforms import lift_transform
from jax import lax
from jax.extend.core import jaxpr_as_fun
from jaxtyping import Float, Shaped

from amd_jax.types import Array, PyTree


def anew(f: Callable, *, cpu_only: bool = False) -> Callable:
    """The function, whose gradient keeps nothing but the arguments; the first is an array.

    Values and gradients stay the same. With `cpu_only`, the compilers of other devices decide for
    themselves what to keep: they fuse what is computed element by element better than this does.
    """

    @jax.custom_vjp
    def function(x: Shaped[Array, "..."], *others: PyTree) -> PyTree:
        return f(x, *others)

    def forward(*arguments):
        return f(*arguments), arguments

    def backward(arguments, d_out):
        arguments, d_out = ordered(arguments, d_out, cpu_only)
        return jax.vjp(f, *arguments)[1](d_out)

    function.defvjp(forward, backward)
    return function


def ordered(arguments: tuple, d_out: PyTree, cpu_only: bool = False) -> tuple[tuple, PyTree]:
    """Both, but the first argument, an array, not before the gradient of the output is there."""

    def tied(arguments, d_out):
        x, *others = arguments
        return (x + zero_after(d_out).astype(x.dtype), *others), d_out

    def otherwise(*both):
        return both if cpu_only else lax.optimization_barrier(both)

    return lax.platform_dependent(arguments, d_out, cpu=tied, default=otherwise)


def zero_after(tree: PyTree) -> Float[Array, ""]:
    """A zero that is not there before an array of the tree is: XLA does not drop 0 x."""
    leaves = jax.tree.leaves(tree)
    return 0 * next(d for d in leaves if jnp.issubdtype(d.dtype, jnp.inexact)).ravel()[0]


def recomputed(module: Callable, remat: bool = True, *, cpu_only: bool = False) -> Callable:
    """The module; with `remat` one whose gradient keeps its inputs only, by `anew`.

    A module's class, or a function of a module and arrays; what is static is not an argument of
    the call. Parameters and their names stay the same.
    """
    return lift_transform(_lifted, module, cpu_only) if remat else module


def _lifted(f: Callable, cpu_only: bool) -> Callable:
    """`anew` of a function of a scope and arrays."""

    def inner(scope_of, variables_of, variables, rngs, x, *others):
        def function(x, variables, rngs, *others):
            scope = scope_of(variables, rngs)
            return f(scope, x, *others), variables_of(scope)

        arguments = (x, variables, rngs, *others)
        return anew(_traced(function, *arguments), cpu_only=cpu_only)(*arguments)

    return lift.pack(inner, (True,), (True,), (True,), name="remat")


def _traced(f: Callable, *arguments: PyTree) -> Callable:
    """The function as it is now: called again, a scope would hand out other random keys."""
    program, shapes = jax.make_jaxpr(f, return_shape=True)(*arguments)

    def function(*arguments):
        leaves = jaxpr_as_fun(program)(*jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shapes), leaves)

    return function
