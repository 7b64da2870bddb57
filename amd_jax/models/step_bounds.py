"""Bounds of a diffusion: from some of its steps, or from all of them."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from amd_jax import options
from amd_jax.diffusion.samplers import time_grids
from amd_jax.types import Array, Key, Nats, Params


def _grid() -> Any:
    """The field of a bound that says on which grid it is taken."""
    return options.number(None, "steps of the bound's grid; the model's own", kind=int, least=1)


@dataclasses.dataclass(frozen=True)
class DrawnSteps:
    """The bound by some steps of each row, drawn stratified."""

    draws: int = options.number(8, "steps drawn for each row", least=1)
    grid: int | None = _grid()
    name = "elbo"
    exact = False

    def __post_init__(self):
        """Raises ValueError for less than one draw or step."""
        options.check(self)

    def describe(self, model: Any) -> str:
        if model.steps is None and self.grid is None:
            return f"continuous time, {self.draws} times drawn each"
        return f"{_on_grid(model, self.grid)} steps, {self.draws} drawn each"

    def __call__(self, model: Any, params: Params, rng: Key, x: Array) -> Nats:
        """A row's draws stand side by side in the batch, which times are stratified over."""
        tiled = jnp.tile(x, (self.draws,) + (1,) * (x.ndim - 1))
        if self.grid is not None:
            model = dataclasses.replace(model, steps=_on_grid(model, self.grid))
        return model.elbo(params, rng, tiled).reshape(self.draws, -1).mean(axis=0)


@dataclasses.dataclass(frozen=True)
class AllSteps:
    """The bound with every step visited for every row: as many network calls, and less noise."""

    grid: int | None = _grid()
    spacing: time_grids.Spacing = time_grids.spacing()
    name = "all_steps"
    exact = False
    draws = 1

    def __post_init__(self):
        """Raises ValueError for less than one step, or times that are no grid."""
        options.check(self)
        object.__setattr__(self, "grid", time_grids.agreed(self.grid, self.spacing))

    def describe(self, model: Any) -> str:
        where = self.spacing if isinstance(self.spacing, str) else "given"
        kind = "" if where == "uniform" else f", at {where} times"
        return f"all {_on_grid(model, self.grid)} steps{kind}"

    def __call__(self, model: Any, params: Params, rng: Key, x: Array) -> Nats:
        times = time_grids.grid(_on_grid(model, self.grid), self.spacing)
        return model.elbo_of_all_steps(params, rng, x, times)


def _on_grid(model: Any, steps: int | None) -> int:
    """Steps of a grid, the model's own unless given; ValueError for more than those."""
    if steps is None:
        return model.number_of_steps()
    if model.steps is not None and steps > model.steps:
        raise ValueError(
            f"grid must be in [1, {model.steps}], the model's number of steps; got {steps}."
        )
    return steps
