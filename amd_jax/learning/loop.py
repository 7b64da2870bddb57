"""The training loop: batch, step, log, evaluate, save; continues where a run stopped.

Where its numbers go, and where its states are kept, is the business of a `callbacks.Keeper`.
"""

import contextlib
import dataclasses
import inspect
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Integer
from ml_collections import ConfigDict

from amd_jax.devices import allocator, jax_settings, machine, parallel, program_cost, shards
from amd_jax.learning import signals, training_step
from amd_jax.learning.callbacks import Keeper, Nobody
from amd_jax.learning.config_values import check_numbers
from amd_jax.learning.optimizers import Scheduled
from amd_jax.learning.prefetch import Prefetch
from amd_jax.learning.training_step import TrainState
from amd_jax.ops import categorical
from amd_jax.types import Dataset, Key, Model, Objective, Params, Tokens

TIMED_SECONDS, TIMED_SHARE = 10.0, 0.1  # of the first steps, by which all are foreseen
Evaluate = Callable[[Params], dict[str, float]]  # averaged parameters -> metrics; score first
Rows = Integer[np.ndarray, "devices B *event"]  # of each device of this process


class Interrupted(Exception):
    """Training stopped on a signal; what it had reached is saved."""


class Parts(NamedTuple):
    """What is trained, and how: what `build(config, facts)` of an experiment returns."""

    model: Model
    objective: Objective
    optimizer: optax.GradientTransformation


def train(
    parts: Parts,
    data: Dataset,
    config: ConfigDict,
    keeper: Keeper | None = None,
    *,
    params: Params | None = None,
    evaluate: Evaluate | None = None,
    traced: Callable[[int], AbstractContextManager[Callable[[int], None]]] | None = None,
    beside: Callable[[], machine.Beside] | None = None,
) -> Params:
    """Trains up to config.num_steps and returns the averaged parameters.

    Continues from what the keeper has; batch and noise are functions of the seed and the step, so
    that a continued run ends with the same bits as an unbroken one. A thread makes the next batch
    while a step runs. On SIGINT, SIGTERM or SIGHUP it saves and raises Interrupted; on a second
    one it stops at once. A new run starts from `params`, if given, else from fresh ones.
    `traced(start)` is a context around all steps; what it yields is called before each step. What
    the caller does `beside` the steps is part of the time that is printed after the first of them.
    """
    began = time.monotonic()
    check_numbers(config)
    jax_settings.check_float32()
    keeper = Nobody() if keeper is None else keeper
    rng_init, rng = jax.random.split(jax.random.key(config.seed))
    devices = shards.carried(config.shards)
    state = _start(parts, data, config, rng_init, keeper, params, devices)
    start = int(state.step)
    if start >= config.num_steps:
        return shards.divided(state.ema, config.shards)
    size = machine.parameters(state.params)
    state = devices.put(state)
    allocator.release()  # of what compiling leaves behind, before the largest program is compiled
    with Prefetch(_batches(data, config), config.num_steps) as batch:
        example = batch(start + 1)
        keeper.print_line("compiling the training step")
        train_step, flops = _compiled(parts, config, devices, state, rng, example)
        line, rates = machine.expectations(flops, config, size)
        keeper.print_line(line)
        keeper.begun(start, config.num_steps)
        clock = machine.Clock(start, rates)
        forecast = machine.Forecast(time.monotonic() - began, flops, beside)
        run = _Run(parts, batch, config, rng, keeper, evaluate, devices, clock, forecast)
        context = traced(start) if traced else contextlib.nullcontext(lambda step: None)
        with context as before, signals.heard() as received:
            for step in range(start + 1, config.num_steps + 1):
                before(step)
                state = train_step(state, rng, batch(step))
                parallel.settled(state.step)
                run.conclude(step, state, stopped=received())
    return devices.local(state.ema)


def _compiled(
    parts: Parts,
    config: ConfigDict,
    devices: parallel.Copies | shards.Shards,
    state: TrainState,
    rng: Key,
    example: Rows,
) -> tuple[parallel.Compilable, float]:
    """The training step, compiled, and its FLOP on each device; ValueError if it is too large."""
    train_step = training_step.make_train_step(
        parts.objective,
        parts.optimizer,
        config.ema_decay,
        config.accumulate,
        config.clip,
        config.log_every,
        devices,
    )
    program = devices.traced(train_step, state, rng, example)
    machine.check_sizes(program)
    compiled = train_step.lower(state, rng, example).compile()  # the loop's calls use it
    allocator.release()
    machine.check_memory(compiled)
    return train_step, program_cost.flops(program) / jax.device_count()


@dataclasses.dataclass
class _Run:
    """What happens beside the steps."""

    parts: Parts
    batch: Callable[[int], Rows]
    config: ConfigDict
    rng: Key
    keeper: Keeper
    evaluate: Evaluate | None
    devices: parallel.Copies | shards.Shards
    clock: machine.Clock
    forecast: machine.Forecast | None  # None once it is printed
    skipped: int = 0  # steps, as far as they have been reported

    def conclude(self, step: int, state: TrainState, stopped: bool) -> None:
        """Checks, logs, evaluates and saves what is due; Interrupted if it was `stopped`."""
        config, last = self.config, step == self.config.num_steps
        self.keeper.stepped(step)
        self.print_forecast(step, state)
        logged = last or step % config.log_every == 0
        scored = config.evaluate_every and step % config.evaluate_every == 0
        evaluate = self.evaluate if scored else None
        due = last or stopped or evaluate or step % config.checkpoint_every == 0
        if due or logged or jax.default_backend() == "cpu":
            self.check_finite(step, state)
        if logged:
            self.keeper.log(step, self.metrics(step, state))
        if due:
            score = self.score(step, state, evaluate) if evaluate else None
            self.keeper.save(self.devices.get(state), score)
            parallel.wait(f"checkpoint {step}")
        if stopped:
            raise Interrupted(f"Stopped at step {step} of {config.num_steps}; saved.")

    def print_forecast(self, step: int, state: TrainState) -> None:
        """Prints how long all will take, once enough steps are timed."""
        total, taken = self.config.num_steps - self.clock.start, step - self.clock.start
        is_due = self.clock.seconds() >= TIMED_SECONDS or taken >= TIMED_SHARE * total
        if self.forecast is None or taken == total or not is_due:
            return
        jax.block_until_ready(state.step)  # a GPU runs behind what it was given
        line = self.forecast.describe(total, self.clock.seconds() / taken)
        self.keeper.print_line(line)
        self.forecast = None

    def metrics(self, step: int, state: TrainState) -> dict[str, float]:
        """Means over the steps since the last line, and how fast they were."""
        tally, skipped = self.devices.get((state.tally, state.skipped))
        taken = float(tally["taken"])
        result = {}
        if taken:
            result = {name: float(tally[name]) / taken for name in ("loss_nats", "grad_norm")}
        if tally["skipped"]:
            result["skipped_steps"] = int(tally["skipped"])
        if isinstance(self.parts.optimizer, Scheduled):
            rate = self.parts.optimizer.learning_rate(step - 1 - int(skipped))
            result["learning_rate"] = float(rate)
        return result | self.clock.metrics(step)

    def score(self, step: int, state: TrainState, evaluate: Evaluate) -> float:
        """The first number of an evaluation, which is logged."""
        self.keeper.print_line(f"step {step}: evaluating")
        result = evaluate(self.devices.local(state.ema))
        self.keeper.evaluated(step, result)
        self.clock.restart(step)  # what it took is not the steps'
        return next(iter(result.values()))

    def check_finite(self, step: int, state: TrainState) -> None:
        """Prints how many steps were skipped; ValueError, naming the part, after too many."""
        in_a_row, skipped = map(int, self.devices.get((state.in_a_row, state.skipped)))
        if in_a_row >= self.config.max_skipped:
            raise ValueError(
                f"Loss and gradient must be finite; up to step {step} they were not, {in_a_row} "
                f"in a row. {self.reason(step, state)} What was saved is sound. Use a smaller "
                "learning rate, in another workdir."
            )
        if skipped > self.skipped:
            self.keeper.print_line(
                f"step {step}: {skipped - self.skipped} skipped, where numbers were not finite "
                f"({in_a_row} in a row; the run stops at {self.config.max_skipped})"
            )
        self.skipped = skipped

    def reason(self, step: int, state: TrainState) -> str:
        """What the model says of the batch of a step that failed."""
        config, x = self.config, self.batch(step)
        rows = x.reshape(len(x) * config.accumulate, -1, *x.shape[2:])
        first = jax.process_index() * len(rows)
        params = self.devices.get(state.params)
        try:
            for part, some in enumerate(rows, start=first):
                key = training_step.part_key(self.rng, step - 1, part)
                self.parts.model.check(params, key, jax.numpy.asarray(some, np.int32))
        except ValueError as error:
            return str(error)
        return "The model itself is finite there; its gradient is not."


def _batches(data: Dataset, config: ConfigDict) -> Callable[[int], Rows]:
    """A function of the step: the rows of this process.

    It raises ValueError for what is no token. A data set whose `batch` has no `part` makes all
    rows.
    """
    part = parallel.own_rows(config.batch_size)
    makes_parts = "part" in inspect.signature(data.batch).parameters

    def batch(step: int) -> Rows:
        what = config.seed, step - 1, config.batch_size
        x = data.batch(*what, part) if makes_parts else data.batch(*what)[part]
        categorical.check_tokens(x, data.facts.num_classes)
        return parallel.per_device(x)

    return batch


def _start(
    parts: Parts,
    data: Dataset,
    config: ConfigDict,
    rng: Key,
    keeper: Keeper,
    params: Params | None,
    devices: parallel.Copies | shards.Shards,
) -> TrainState:
    """The newest saved state, or a fresh one."""
    shape = (min(config.batch_size, 8), *data.facts.event_shape)

    def init(rng: Key, x: Tokens) -> TrainState:
        begun = parts.model.init(rng, x) if params is None else params
        return training_step.init_state(parts.objective, parts.optimizer, begun)

    example = jax.ShapeDtypeStruct(shape, np.int32)
    program, template = jax.make_jaxpr(init, return_shape=True)(rng, example)
    machine.check_state(program, template, devices)
    state = keeper.restored(template) if parallel.is_first() else None
    if parallel.from_first(np.array(state is not None)):
        nothing = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), template)
        return parallel.from_first(nothing if state is None else state)
    keeper.print_line("initialising the parameters")
    x = jax.numpy.asarray(data.batch(config.seed, 0, shape[0]), np.int32)
    state = devices.made(init, rng, x)
    parts.model.check(devices.whole(state.params), rng, x)
    return state
