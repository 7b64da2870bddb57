"""Networks as readers of a context: their parameters, and their numbers in the shape asked for.

Their output is reshaped: digits (B, L, D) may be read to (B, L, F) with F = D * P, and asked for
as (B, L, D, P).
"""

import dataclasses
import math
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.ops import integers
from amd_jax.types import Array, Batch, Key, Params, PyTree


@runtime_checkable
class Conditioner(Protocol):
    """A linen module `(x (B, ..., C), *, train) -> (B, ..., F)`, or what has these two methods."""

    def init(self, rng: Key, x: Batch, /, *, train: bool) -> Params:
        """Its variables for contexts like `x`."""

    def apply(self, variables: Params, /, *x: PyTree, **more: PyTree) -> PyTree:
        """Its numbers for `x`; `more` are train, and rngs for dropout."""


def init(network: Conditioner, rng: Key, x: Batch, shape: tuple[int, ...]) -> Params:
    """Parameters for contexts like `x`; ValueError if the output does not fill `shape`."""
    variables = network.init(rng, x, train=False)
    result = jax.eval_shape(lambda: network.apply(variables, x, train=False)).shape
    wanted, places = math.prod(shape), math.prod(result[:-1])
    if math.prod(result) != wanted:
        raise ValueError(
            f"For x of shape {x.shape} a conditioner gives numbers of shape {shape}; "
            f"{type(network).__name__} gave {result}. "
            f"Let its last axis have {wanted // places} numbers."
        )
    return variables.get("params", {})


def apply(
    network: Conditioner,
    params: Params,
    rng: Key | None,
    x: Batch,
    shape: tuple[int, ...],
    *,
    train: bool = False,
) -> Float[Array, "..."]:
    """The numbers for x, of `shape`, in float32 or better; `rng` feeds dropout, with `train`."""
    rngs = {"dropout": rng} if train else None
    out = network.apply({"params": params}, x, train=train, rngs=rngs)
    return out.reshape(shape).astype(jnp.promote_types(out.dtype, jnp.float32))


@dataclasses.dataclass(frozen=True)
class OfTokens:
    """A conditioner of digits that reads the tokens they make up."""

    network: Conditioner  # of tokens
    base: int = 2

    def init(self, rng: Key, x: Integer[Array, "B *event D"], *, train: bool) -> Params:
        """The network's variables for digits like `x`."""
        return self.network.init(rng, integers.from_digits(x, self.base), train=train)

    def apply(
        self, variables: Params, x: Integer[Array, "B *event D"], **more: PyTree
    ) -> Float[Array, "..."]:
        """The network's numbers for the tokens of digits `x`."""
        return self.network.apply(variables, integers.from_digits(x, self.base), **more)


@dataclasses.dataclass(frozen=True)
class Scaled:
    """A conditioner of numbers x that reads x / unit, as networks like numbers near 1."""

    network: Conditioner
    unit: float

    def init(self, rng: Key, x: Batch, *, train: bool) -> Params:
        """The network's variables for numbers like `x`."""
        return self.network.init(rng, x / self.unit, train=train)

    def apply(self, variables: Params, x: Batch, **more: PyTree) -> Float[Array, "..."]:
        """The network's numbers for `x`."""
        return self.network.apply(variables, x / self.unit, **more)
