"""Bounds on log p(x) that a model declares: each a value with a name and its numbers.

`draws` is how many copies of a row it looks at together.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from amd_jax import options
from amd_jax.models.declared import Stepped
from amd_jax.types import Array, Bound, Key, Model, Nats, Params, Tokens


@dataclasses.dataclass(frozen=True)
class Elbo:
    """The evidence lower bound, one draw of each row."""

    name = "elbo"
    exact = False
    draws = 1

    def describe(self, model: Model) -> str:
        return "evidence lower bound, one draw each"

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        return model.elbo(params, rng, x)


@dataclasses.dataclass(frozen=True)
class DrawnTimes:
    """The bound in continuous time by some times of each row, drawn stratified."""

    draws: int = options.number(8, "times drawn for each row", least=1)
    name = "elbo"
    exact = False

    def __post_init__(self):
        """Raises ValueError for less than one draw."""
        options.check(self)

    def describe(self, model: Model) -> str:
        return f"continuous time, {self.draws} times drawn each"

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        """A row's draws stand side by side in the batch, which times are stratified over."""
        tiled = jnp.tile(x, (self.draws,) + (1,) * (x.ndim - 1))
        return model.elbo(params, rng, tiled).reshape(self.draws, -1).mean(axis=0)


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """log p(x) itself, of models whose elbo is that."""

    name = "likelihood"
    exact = True
    draws = 1

    def describe(self, model: Model) -> str:
        return "exact likelihood, each by itself"

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        return model.elbo(params, rng, x)


@dataclasses.dataclass(frozen=True)
class ImportanceWeighted:
    """log (1/k) Σ exp(log_weight) of k draws, one after the other: memory does not grow with k.

    At least the elbo, and log p(x) in the limit of many draws (Burda et al., 2016, sec. 3).
    """

    importance_samples: int = options.number(
        20, "draws of each row for the importance-weighted bound", least=1
    )
    name = "iwbo"
    exact = False
    draws = 1

    def __post_init__(self):
        """Raises ValueError for less than one draw."""
        options.check(self)

    def describe(self, model: Model) -> str:
        if isinstance(model, Stepped):
            model.number_of_steps()  # ValueError in continuous time, where there is no trajectory
        return f"importance-weighted bound, k = {self.importance_samples}"

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        draw = functools.partial(model.log_weight, params)
        return log_mean_exp(draw, rng, x, self.importance_samples)


def log_mean_exp(draw: Callable[[Key, Tokens], Nats], rng: Key, x: Tokens, number: int) -> Nats:
    """Log of the mean of exp(draw(rng, x)) over `number` keys, one after the other."""

    def add(j: Array, total: Nats) -> Nats:
        return jnp.logaddexp(total, draw(jax.random.fold_in(rng, j), x))

    total = jax.lax.fori_loop(0, number, add, jnp.full(x.shape[0], -jnp.inf))
    return total - jnp.log(float(number))


def in_order(bound: Bound) -> bool:
    """Whether a row's nats depend on the rows before it: then it is given all rows at once."""
    return getattr(bound, "in_order", False)


def of(model: Model | type[Model]) -> tuple[Bound, ...]:
    """The bounds that a model declares, the default first; else its elbo."""
    return getattr(model, "bounds", (Elbo(), ImportanceWeighted()))
