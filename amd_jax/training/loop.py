"""The training loop: batch, step, log, evaluate, save; continues where a run stopped."""

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from amd_jax import parallel
from amd_jax.ops import categorical
from amd_jax.training import allocator, machine
from amd_jax.training import step as steps
from amd_jax.training import workdir as workdirs
from amd_jax.training.checkpoints import Checkpoints
from amd_jax.training.experiment import Experiment, check_numbers
from amd_jax.training.profile import traced
from amd_jax.training.progress import Progress
from amd_jax.types import Key, Params

Evaluate = Callable[[Params], dict[str, float]]  # averaged parameters -> metrics; score first


class Interrupted(Exception):
    """Training stopped on a signal; what it had reached is saved."""


def train(
    experiment: Experiment,
    config: ConfigDict,
    workdir: Path,
    evaluate: Evaluate | None = None,
    profile: bool = False,
) -> Params:
    """Trains up to config.num_steps and returns the averaged parameters.

    Continues from the newest sound checkpoint in `workdir`; batch and noise are functions of the
    seed and the step, so that a continued run ends with the same bits as an unbroken one. On
    SIGINT or SIGTERM it saves and raises Interrupted; on a second one it stops at once. With
    `profile`, a trace of some steps for Perfetto is written to `workdir`/profile.
    """
    check_numbers(config)
    if parallel.is_first():
        workdirs.hold(workdir)
    rng_init, rng = jax.random.split(jax.random.key(config.seed))
    with Checkpoints(workdir) as checkpoints:
        state, pending = _start(experiment, config, rng_init, checkpoints)
        start = int(state.step)
        if start >= config.num_steps:
            return state.ema
        size = machine.parameters(state.params)
        state = parallel.replicate(state)
        train_step = steps.make_train_step(
            *(experiment.objective, experiment.optimizer),
            *(config.ema_decay, config.accumulate, config.clip),
        )
        example = _batch(experiment.data, config, start + 1)
        compiled = train_step.lower(state, rng, example).compile()  # the calls below use it
        allocator.release()  # of what compiling leaves behind
        lines, rates = machine.expectations(compiled, config, start, size)
        progress = _progress(experiment.data, config, workdir, start, pending, rates)
        progress.say(lines)
        run = _Run(experiment, config, rng, checkpoints, progress, evaluate)
        trace = traced(workdir / "profile", start) if profile else nullcontext(lambda step: None)
        with progress, trace as at, _signals() as received:
            for step in range(start + 1, config.num_steps + 1):
                at(step)
                state, metrics = train_step(state, rng, _batch(experiment.data, config, step))
                progress.update(step, parallel.settled(metrics))
                run.conclude(step, state, stopped=received())
        return parallel.unreplicate(state.ema)


@dataclasses.dataclass
class _Run:
    """What happens beside the steps."""

    experiment: Experiment
    config: ConfigDict
    rng: Key
    checkpoints: Checkpoints
    progress: Progress
    evaluate: Evaluate | None
    skipped: int = 0  # steps, as far as they have been told

    def conclude(self, step: int, state: steps.TrainState, stopped: bool) -> None:
        """Checks, evaluates and saves what is due; raises Interrupted if it was `stopped`."""
        config = self.config
        every = config.evaluate_every if self.evaluate else 0
        scored = every > 0 and step % every == 0
        last = step == config.num_steps
        due = last or stopped or scored or step % config.checkpoint_every == 0
        if due or step % config.log_every == 0 or jax.default_backend() == "cpu":
            self.check_finite(step, state)
        if due:
            bits = self.score(step, state) if scored else None
            self.progress.sync()
            pending = self.progress.pending()
            self.checkpoints.save(parallel.unreplicate(state), pending, bits)
            parallel.wait(f"checkpoint {step}")
        if stopped:
            raise Interrupted(f"Stopped at step {step} of {config.num_steps}; saved.")

    def score(self, step: int, state: steps.TrainState) -> float:
        """The first number of an evaluation, which is logged."""
        found = self.evaluate(parallel.unreplicate(state.ema))
        self.progress.evaluated(step, found)
        return next(iter(found.values()))

    def check_finite(self, step: int, state: steps.TrainState) -> None:
        """Tells of skipped steps; ValueError if there are too many in a row, naming the part."""
        in_a_row, skipped = map(int, parallel.unreplicate((state.in_a_row, state.skipped)))
        if in_a_row >= self.config.max_skipped:
            raise ValueError(
                f"Loss and gradient must be finite; up to step {step} they were not, {in_a_row} "
                f"in a row. {self.reason(step, state)} What was saved is sound. Use a smaller "
                "learning rate, in another --workdir."
            )
        if skipped > self.skipped:
            self.progress.say(
                f"step {step}: {skipped - self.skipped} skipped, where numbers were not finite "
                f"({in_a_row} in a row; the run stops at {self.config.max_skipped})"
            )
        self.skipped = skipped

    def reason(self, step: int, state: steps.TrainState) -> str:
        """What the model says of the batch of a step that failed."""
        config, x = self.config, _batch(self.experiment.data, self.config, step)
        parts = x.reshape(len(x) * config.accumulate, -1, *x.shape[2:])
        first = jax.process_index() * len(parts)
        params = parallel.unreplicate(state.params)
        try:
            for part, rows in enumerate(parts, start=first):
                key = steps.part_key(self.rng, step - 1, part)
                self.experiment.model.check(params, key, jax.numpy.asarray(rows, np.int32))
        except ValueError as error:
            return str(error)
        return "The model itself is finite there; its gradient is not."


def _batch(data: Any, config: ConfigDict, step: int) -> np.ndarray:
    """The rows of this process at a step, (devices, B / devices, ...); ValueError for no token."""
    x = data.batch(config.seed, step - 1, config.batch_size)
    categorical.check_tokens(x, data.num_classes)
    return parallel.own(x)


def _start(
    experiment: Experiment, config: ConfigDict, rng: Key, checkpoints: Checkpoints
) -> tuple[steps.TrainState, list[dict]]:
    """The newest saved state and the metrics that wait to be logged, or a fresh one and none."""
    model, event = experiment.model, experiment.data.event_shape
    shape = jax.ShapeDtypeStruct((min(config.batch_size, 8), *event), np.int32)
    pending: list[dict] = []

    def init(rng, x):
        return steps.init_state(experiment.objective, experiment.optimizer, model.init(rng, x))

    if parallel.is_first() and checkpoints.latest() is not None:
        state, pending = checkpoints.restore(jax.eval_shape(init, rng, shape))
    else:
        x = experiment.data.batch(config.seed, 0, shape.shape[0])
        x = jax.numpy.asarray(x, np.int32)
        state = jax.jit(init)(rng, x)
        model.check(state.params, rng, x)
    return parallel.from_first(state), pending


def _progress(
    data: Any, config: ConfigDict, workdir: Path, start: int, pending: list[dict], rates: Callable
) -> Progress:
    """The progress of a run, in bits per token of its data."""
    nats_per_bit = np.log(2) * np.prod(data.event_shape)
    numbers = (start, config.num_steps, config.log_every)
    return Progress(workdir, *numbers, nats_per_bit, data.unit, pending, rates)


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """A function that tells, once a step, whether to stop: if SIGINT or SIGTERM has arrived.

    All processes are told at the same step, one after the signal. A second signal acts as usual.
    """
    received: list[int] = []
    previous = {}

    def note(number: int, frame: object) -> None:
        received.append(number)
        os.write(2, b"\nStopping after this step; a second signal stops at once.\n")
        for number, handler in previous.items():
            signal.signal(number, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, note)
    try:
        yield parallel.agreement(lambda: bool(received))
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
