"""What fine-tuning changes: matrices by changes of low rank, or some of the parameters alone."""

import functools
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from amd_jax.learning.optimizers import Scheduled, hidden_matrices
from amd_jax.types import Array, Params, PyTree

Factors = dict[str, Array]  # left (N, R) and right (R, M), of a change of a matrix (N, M)
SHOWN = 3  # names in a message


class LowRank(NamedTuple):
    """The state of `low_rank`."""

    factors: PyTree  # in the place of each hidden matrix; None for other parameters
    learnt: optax.OptState  # of the optimiser of factors and other parameters


def low_rank(
    optimizer: optax.GradientTransformation, rank: int, scale: float = 1.0
) -> optax.GradientTransformation:
    """Changes every hidden matrix by a matrix of low rank: LoRA (Hu et al., 2022, sec. 4.1).

    W becomes W + scale left right, where left (N, R) is random and right (R, M) zero at first.
    `optimizer` learns both, and the parameters that are no hidden matrices as they are; `only`
    around it keeps some of them. Models, checkpoints and samplers see W with its change. The
    optimiser's state is small; gradients of W are computed as without.

    Raises ValueError for a rank below 1.
    """
    if rank < 1:
        raise ValueError(f"The rank of a change is at least 1; got rank={rank}.")

    def init(params: Params) -> LowRank:
        begin = functools.partial(_begun, rank=rank)
        factors = jax.tree_util.tree_map_with_path(begin, params, hidden_matrices(params))
        return LowRank(factors, optimizer.init(_learnt(params, factors)))

    def update(grads: Params, state: LowRank, params: Params | None = None):
        of_learnt = None if params is None else _learnt(params, state.factors)
        gradients = jax.tree.map(lambda g, f: _chain(g, f, scale), grads, state.factors)
        changes, opt = optimizer.update(gradients, state.learnt, of_learnt)
        changed = jax.tree.map(
            lambda _, f, change: None if f is None else jax.tree.map(jnp.add, f, change),
            grads,
            state.factors,
            changes,
        )
        updates = jax.tree.map(
            lambda _, f, new, change: change if f is None else scale * (product(new) - product(f)),
            grads,
            state.factors,
            changed,
            changes,
        )
        return updates, LowRank(changed, opt)

    return _as(optimizer, init, update)


def _begun(path: tuple, parameter: Array, hidden: object, *, rank: int) -> Factors | None:
    """The factors of a hidden matrix, whose product is zero; None for another parameter."""
    if hidden is None:
        return None
    rng = jax.random.key(zlib.crc32(jax.tree_util.keystr(path).encode()))
    n, m = parameter.shape
    left = jax.random.normal(rng, (n, rank), parameter.dtype) / n**0.5
    return {"left": left, "right": jnp.zeros((rank, m), parameter.dtype)}


def _learnt(params: Params, factors: PyTree) -> PyTree:
    """The parameters, with factors in the place of the matrices that have some."""
    return jax.tree.map(lambda a, f: a if f is None else f, params, factors)


def _chain(gradient: Array, f: Factors | None, scale: float) -> Array | Factors:
    """The gradient of a matrix as one of its factors."""
    if f is None:
        return gradient
    return {"left": scale * gradient @ f["right"].T, "right": scale * f["left"].T @ gradient}


def product(factors: Factors) -> Array:
    """The change of a matrix, (N, M)."""
    return factors["left"] @ factors["right"]


def only(optimizer: optax.GradientTransformation, pattern: str) -> optax.GradientTransformation:
    """Learns the parameters whose names the regular expression finds; the others stay.

    A name is such as "network/joint_0/hidden/kernel". Raises ValueError for an expression that is
    none, and at initialisation for one that finds no parameter.
    """
    try:
        find = re.compile(pattern).search
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}.") from error

    def chosen(params: Params) -> PyTree:
        paths = jax.tree_util.tree_leaves_with_path(params)
        names = ["/".join(str(key.key) for key in path) for path, _ in paths]
        found = ["learnt" if find(name) else "kept" for name in names]
        if "learnt" not in found:
            raise ValueError(
                f"No parameter's name has {pattern!r}; they are such as "
                f"{', '.join(names[:SHOWN])}."
            )
        return jax.tree.unflatten(jax.tree.structure(params), found)

    parts = {"learnt": optimizer, "kept": optax.set_to_zero()}
    return _as(optimizer, *optax.partition(parts, chosen))


def _as(optimizer: optax.GradientTransformation, init: Callable, update: Callable):
    """An optimiser of these functions, with the learning rate of another, if that says it."""
    if not hasattr(optimizer, "learning_rate"):
        return optax.GradientTransformation(init, update)
    result = Scheduled(init, update)
    result.learning_rate = optimizer.learning_rate
    return result
