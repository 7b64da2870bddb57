"""Bounds of a diffusion: from some of its steps, or from all of them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from amd_jax import options
from amd_jax.diffusion import bounds, kernels
from amd_jax.diffusion.process import Process, Stepwise
from amd_jax.diffusion.samplers import mask_times, time_grids
from amd_jax.diffusion.samplers.unmasking import ranks
from amd_jax.models.bounds import DrawnTimes
from amd_jax.models.checks import check_call
from amd_jax.models.declared import Stepped
from amd_jax.ops import categorical
from amd_jax.types import Kernel, Key, LearnedKernel, Model, Nats, Params, Tokens

GRID = "steps of the bound's grid; the model's own"


@dataclasses.dataclass(frozen=True)
class DrawnSteps:
    """The bound by some steps of each row, drawn stratified.

    In continuous time times are drawn; with masks numbers of masked tokens, and one network call
    more removes what each token has for itself from the noise (`_by_counts`).
    """

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
        check_call(rng, x)
        if self.grid is not None:
            model = options.replaced(model, {"steps": _on_grid(model, self.grid)})
        if isinstance(model, Stepwise) and model.steps is None:
            process = model.open(params)
            if isinstance(process, Process) and kernels.is_masking(process.kernel):
                return _by_counts(process, rng, x, self.draws)
        return DrawnTimes(self.draws)(model, params, rng, x)


def _by_counts(process: Process, rng: Key, x: Tokens, draws: int) -> Nats:
    """The bound of masks in continuous time, by numbers of masked tokens, and a control variate.

    Of the n tokens that can be masks, token i is one from the time on at which 1 - α is v_i,
    uniform in [0, 1]. With k of them at the time of the k-th smallest v, the bound is
    Σ_k E[1/k Σ_masked log p(x_i | x_t, t)], of which `draws` k of each row are drawn, stratified.
    That is the mean over t without the weights 1 / t, whose variance is infinite. log p of x_i
    given no other token has a known mean under these draws: only what the others say is noise.
    """
    rng_count, rng_order = jax.random.split(rng)
    every = jnp.tile(x, (draws,) + (1,) * (x.ndim - 1))
    known, masked = process.known(every), process.masked(every)
    alone = categorical.gather(process.log_predict(process.masked(x), jnp.ones(len(x))), x)
    number = jnp.maximum(categorical.sum_event(~known), 1)
    u = bounds.stratified(rng_count, len(every))
    k = jnp.minimum(jnp.floor(u * number) + 1, number)
    v = jnp.where(known, 2.0, jax.random.uniform(rng_order, every.shape))
    rank = ranks(v)
    is_masked = rank < categorical.expand(k, x.ndim)
    last = categorical.sum_event(jnp.where(rank + 1 == categorical.expand(k, x.ndim), v, 0.0))
    t = mask_times.when(kernels.mixing(process.kernel), 1 - last)
    log_p = process.log_predict(jnp.where(is_masked, masked, every), t)
    more = categorical.gather(log_p, every) - jnp.tile(alone, (draws,) + (1,) * (x.ndim - 1))
    nats = number / k * categorical.sum_event(jnp.where(is_masked & ~known, more, 0.0))
    alone = categorical.sum_event(jnp.where(process.known(x), 0.0, alone))
    return nats.reshape(draws, -1).mean(axis=0) + alone - bounds.end_term(process, x)


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
