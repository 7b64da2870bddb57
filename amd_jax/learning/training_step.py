"""The train step: one update of parameters, optimiser, average and objective."""

import collections
import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float, Integer

from amd_jax.devices import parallel
from amd_jax.devices.shards import Shards
from amd_jax.types import Array, Key, Objective, Params, PyTree

Count = Integer[Array, ""]


class TrainState(NamedTuple):
    """Everything that training carries from step to step; with the seed it is all there is."""

    step: Count  # steps taken, skipped ones among them
    skipped: Count  # steps whose update was skipped since numbers were not finite
    in_a_row: Count  # how many of them are the last ones
    params: Params
    ema: Params  # moving average of params, what is evaluated and sampled from
    opt: optax.OptState
    memory: PyTree  # the objective's
    tally: dict[str, Float[Array, ""]]  # sums over the steps that are to be logged together


COPIES = parallel.Copies()
SUMMED = ("loss_nats", "grad_norm", "taken", "skipped")  # in the tally; the last two are counts


def init_state(objective: Objective, optimizer: optax.GradientTransformation, params: Params):
    """The state before the first step, on one device."""
    step, skipped, in_a_row = (jnp.zeros((), jnp.int32) for _ in range(3))
    ema = jax.tree.map(jnp.copy, params)  # donated: no aliases
    opt, memory = optimizer.init(params), objective.init()
    tally = {name: jnp.zeros(()) for name in SUMMED}
    return TrainState(step, skipped, in_a_row, params, ema, opt, memory, tally)


def make_train_step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    ema_decay: float,
    accumulate: int = 1,
    clip: float = 0.0,
    log_every: int = 1,
    devices: parallel.Copies | Shards = COPIES,
) -> parallel.Compilable:
    """One optimiser step on all devices: (state, rng, x) -> state.

    The state lies on `devices`, x is (local devices, B / devices, ...), see `parallel`. Every
    device takes its rows in `accumulate` parts, one after the other, and adds up their gradients:
    memory for one part. A gradient whose norm is above `clip` is scaled down to it, unless that is
    0. The key never changes: that of a part is folded from it, the step and the part's number
    (`part_key`), so that one device with 8 parts makes the step of 8 devices. The tally starts
    anew after every `log_every` steps, so that whoever logs then reads it off.

    A step that makes anything in the state cease to be finite, or whose loss or gradient is not,
    is counted and skipped. The moving average starts as a plain mean, so that short runs are not
    dragged back to their initialisation.
    """

    def train_step(state: TrainState, rng: Key, x: Array):
        def loss_fn(params, part, x):
            rng_part = part_key(rng, state.step, part)
            nats, evidence = objective.loss(params, state.memory, rng_part, x.astype(jnp.int32))
            return nats.mean(), evidence

        grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, evidence), grads = _sum(grad_fn, devices.used(state.params), _parts(x, accumulate))
        loss, grads = jax.tree.map(lambda a: a / accumulate, (loss, grads))
        loss, grads = jax.lax.pmean((loss, grads), parallel.AXIS)
        memory = objective.update(state.memory, jax.lax.psum(evidence, parallel.AXIS))
        norm = jnp.sqrt(_together(jnp.add, map(jnp.square, jax.tree.leaves(grads))))
        if clip:  # optax's would sum up the norm again, in a program of all gradients
            shorter = jnp.minimum(1.0, clip / norm)
            grads = jax.tree.map(lambda g: shorter * g, grads)
        result = {"loss_nats": loss, "grad_norm": norm}
        updates, opt = optimizer.update(grads, state.opt, state.params)
        params = optax.apply_updates(state.params, updates)
        rate = jnp.maximum(1 - ema_decay, 1 / (state.step - state.skipped + 2.0))
        ema = optax.incremental_update(params, state.ema, jnp.where(ema_decay > 0, rate, 1.0))
        new = state._replace(params=params, ema=ema, opt=opt, memory=memory)
        state, skip = _unless_broken(new, state, result)
        return state._replace(tally=_tally(state, result, skip, log_every))

    return devices.over(train_step)


def part_key(rng: Key, step: Count | int, part: Count | int) -> Key:
    """The key of a part of a training step; both count from 0, parts over all devices."""
    return jax.random.fold_in(jax.random.fold_in(rng, step), part)


def _parts(x: Array, accumulate: int) -> tuple[Array, Array]:
    """The numbers of this device's parts, (accumulate,), and their rows, one part in front."""
    numbers = jax.lax.axis_index(parallel.AXIS) * accumulate + jnp.arange(accumulate)
    return numbers, x.reshape(accumulate, -1, *x.shape[1:])


def _sum(f: Callable, params: Params, parts: tuple[Array, Array]) -> PyTree:
    """Σ f(params, *part) over all parts, one at a time."""
    first = [a[0] for a in parts]
    if len(parts[0]) == 1:  # XLA makes slower convolutions of a loop of one
        return f(params, *first)
    result = jax.eval_shape(f, params, *first)
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), result)

    def add(total, part):
        return jax.tree.map(jnp.add, total, f(params, *part)), None

    return jax.lax.scan(add, zeros, parts)[0]


def _unless_broken(
    new: TrainState, old: TrainState, result: dict[str, Array]
) -> tuple[TrainState, Array]:
    """The new state, or if numbers broke the old one, counted; and whether they did.

    By `cond`: a `where` for each parameter would be a program to compile for each. What was not
    finite before is asked for only if something is not now: the sum of zero times everything,
    which takes one reading, is not zero then.
    """
    leaves = jax.tree.leaves(new)
    floats = [a for a in leaves if jnp.issubdtype(a.dtype, jnp.inexact)]
    zero = _together(jnp.add, (0 * a for a in floats))

    def newly_broken() -> Array:
        pairs = zip(leaves, jax.tree.leaves(old), strict=True)
        broken = (jnp.isfinite(b) & ~jnp.isfinite(a) for a, b in pairs)
        return _together(jnp.logical_or, broken)

    skip = jax.lax.cond(zero == 0, lambda: jnp.array(False), newly_broken)
    skip |= jnp.stack([~jnp.isfinite(value) for value in result.values()]).any()
    state = jax.lax.cond(skip, lambda: old, lambda: new)
    in_a_row = jnp.where(skip, old.in_a_row + 1, 0)
    counts = {"step": old.step + 1, "skipped": old.skipped + skip, "in_a_row": in_a_row}
    return state._replace(**counts), skip


@runtime_checkable
class _Ufunc(Protocol):
    """What is used of `jnp.add` and such; JAX has a type of them in its stubs only."""

    def __call__(self, x: Array, y: Array, /) -> Array: ...

    def reduce(self, a: Array, /, *, axis: int | None = 0) -> Array: ...


def _together(combine: _Ufunc, arrays: Iterable[Array]) -> Array:
    """All arrays reduced to one number, those of one shape eight at a time.

    For XLA's sake, which has a program to compile for every reduction and, but for the barrier,
    one for all of them: most of what a step of many parameters took to compile (docs/speed.md).
    """
    alike = collections.defaultdict(list)
    for array in arrays:
        alike[array.shape].append(array)
    eights = (group[i : i + 8] for group in alike.values() for i in range(0, len(group), 8))
    result = [combine.reduce(functools.reduce(combine, eight), axis=None) for eight in eights]
    return combine.reduce(jax.lax.optimization_barrier(jnp.stack(result)))


def _tally(
    state: TrainState, result: dict[str, Array], skip: Array, log_every: int
) -> dict[str, Array]:
    """The sums after a step; after those that were logged the first one."""
    result = {name: jnp.where(skip, 0.0, value) for name, value in result.items()}
    result |= {"taken": 1.0 - skip, "skipped": skip.astype(jnp.float32)}
    first = (state.step - 1) % log_every == 0
    return {name: jnp.where(first, 0.0, state.tally[name]) + result[name] for name in SUMMED}
