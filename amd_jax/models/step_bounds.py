"""Bounds of a diffusion: from some of its steps, or from all of them."""

import dataclasses
import functools

from amd_jax import options
from amd_jax.diffusion import bounds, kernels
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import time_grids
from amd_jax.models.bounds import DrawnTimes
from amd_jax.models.declared import Stepped
from amd_jax.types import Kernel, Key, LearnedKernel, Model, Nats, Params, Tokens

GRID = "steps of the bound's grid; the model's own"


@dataclasses.dataclass(frozen=True)
class DrawnSteps:
    """The bound by some steps of each row, drawn stratified."""

    draws: int = options.number(8, "steps drawn for each row", least=1)
    grid: int | None = options.number(None, GRID, kind=int, least=1)
    name = "elbo"
    exact = False

    def __post_init__(self):
        """Raises ValueError for less than one draw or step."""
        options.check(self)

    def describe(self, model: Model) -> str:
        if _stepped(model).steps is None and self.grid is None:
            return DrawnTimes(self.draws).describe(model)
        return f"{_on_grid(model, self.grid)} steps, {self.draws} drawn each"

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        if self.grid is not None:
            model = options.replaced(model, {"steps": _on_grid(model, self.grid)})
        return DrawnTimes(self.draws)(model, params, rng, x)


@dataclasses.dataclass(frozen=True)
class AllSteps:
    """The bound with every step visited for every row: as many network calls, and less noise."""

    grid: int | None = options.number(None, GRID, kind=int, least=1)
    spacing: time_grids.Spacing = time_grids.spacing()
    name = "all_steps"
    exact = False
    draws = 1

    def __post_init__(self):
        """Raises ValueError for less than one step, or times that are no grid."""
        options.check(self)
        object.__setattr__(self, "grid", time_grids.agreed(self.grid, self.spacing))

    def describe(self, model: Model) -> str:
        where = self.spacing if isinstance(self.spacing, str) else "given"
        kind = "" if where == "uniform" else f", at {where} times"
        return f"all {_on_grid(model, self.grid)} steps{kind}"

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        times = time_grids.grid(_on_grid(model, self.grid), self.spacing)
        return _stepped(model).elbo_of_all_steps(params, rng, x, times)


@dataclasses.dataclass(frozen=True)
class MultiSample(AllSteps):
    """The bound of masks with random symbols: in every step the mean over draws of them.

    Of the chain that `samplers.Ancestral` walks on the same grid. Lower with more draws
    (`bounds.multi_sample_term`).
    """

    symbol_draws: int = options.number(16, "draws of the masks' symbols in every step", least=1)
    name = "multi_sample"

    @property
    def draws(self) -> int:  # type: ignore[override]  # one of others
        """Copies of a row that stand side by side."""
        return self.symbol_draws

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """For masks with symbols."""
        return isinstance(kernel, kernels.RandomMasks)

    def describe(self, model: Model) -> str:
        return f"{super().describe(model)}, {self.symbol_draws} draws of symbols each"

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        times = time_grids.grid(_on_grid(model, self.grid), self.spacing)
        process = _stepped(model).open(params)
        assert isinstance(process, Process)  # that kernel is admitted alone
        term = functools.partial(bounds.multi_sample_term, draws=self.symbol_draws)
        return bounds.elbo_of_all_steps(process, rng, x, times, term)


def _on_grid(model: Model, steps: int | None) -> int:
    """Steps of a grid, the model's own unless given; ValueError for more than those."""
    model = _stepped(model)
    if steps is None:
        return model.number_of_steps()
    if model.steps is not None and steps > model.steps:
        raise ValueError(
            f"grid must be in [1, {model.steps}], the model's number of steps; got {steps}."
        )
    return steps


def _stepped(model: Model) -> Stepped:
    """The model; ValueError unless it is a diffusion."""
    if not isinstance(model, Stepped):
        raise ValueError(
            f"A bound by steps is for a diffusion; {type(model).__name__} is none. Use Elbo()."
        )
    return model
