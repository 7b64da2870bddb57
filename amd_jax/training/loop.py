"""The training loop: batch, step, log, evaluate, save; continues where a run stopped."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from amd_jax.ops import categorical
from amd_jax.training import step as steps
from amd_jax.training.checkpoints import Checkpoints
from amd_jax.training.experiment import Experiment
from amd_jax.training.progress import Progress
from amd_jax.types import Params

LEAST = {"batch_size": 1, "num_steps": 1, "checkpoint_every": 1, "log_every": 1}
LEAST |= {"evaluate_every": 0, "evaluate_texts": 1}  # every 0 steps: never
Evaluate = Callable[[Params], dict[str, float]]  # averaged parameters -> metrics with units


class Interrupted(Exception):
    """Training stopped on a signal; what it had reached is saved."""


def train(
    experiment: Experiment, config: ConfigDict, workdir: Path, evaluate: Evaluate | None = None
) -> Params:
    """Trains up to config.num_steps and returns the averaged parameters.

    Continues from the newest checkpoint in `workdir`; batch and noise are functions of the seed
    and the step, so that a continued run ends with the same bits as an unbroken one. On SIGINT or
    SIGTERM it saves and raises Interrupted; on a second one it stops at once.
    """
    check_numbers(config)
    data = experiment.data
    rng_init, rng = jax.random.split(jax.random.key(config.seed))
    train_step = steps.make_train_step(
        experiment.objective, experiment.optimizer, config.ema_decay
    )
    nats_per_bit = np.log(2) * np.prod(data.event_shape)
    with Checkpoints(workdir) as checkpoints:
        state = _start(experiment, config, rng_init, checkpoints)
        start = int(state.step)
        if start >= config.num_steps:
            return state.ema
        state = steps.replicate(state)
        progress = Progress(
            workdir, start, config.num_steps, config.log_every, nats_per_bit, data.unit
        )
        with progress, _signals() as received:
            for step in range(start + 1, config.num_steps + 1):
                state, metrics = train_step(state, rng, _batch(data, config, step))
                if jax.default_backend() == "cpu":  # queued steps deadlocked virtual devices
                    jax.block_until_ready(metrics)
                due = step == config.num_steps or received or step % config.checkpoint_every == 0
                if due or step % config.log_every == 0 or jax.default_backend() == "cpu":
                    _check_finite(experiment, config, state, rng, step)
                progress.update(step, jax.tree.map(lambda a: a[0], metrics))
                if due:
                    checkpoints.save(steps.unreplicate(state))
                if received:
                    raise Interrupted(f"Stopped at step {step} of {config.num_steps}; saved.")
                if evaluate and config.evaluate_every and step % config.evaluate_every == 0:
                    progress.evaluated(step, evaluate(steps.unreplicate(state.ema)))
        return steps.unreplicate(state.ema)


def check_numbers(config: ConfigDict) -> None:
    """Raises ValueError unless the config has the loop's numbers, and they make sense."""
    missing = {"seed", "ema_decay", *LEAST} - {"evaluate_texts", *config}
    if missing:
        raise ValueError(
            "A config has the numbers of experiments/quickstart.py; this one lacks "
            f"{', '.join(sorted(missing))}. Add them."
        )
    for name, least in LEAST.items():
        if config.get(name, least) < least:
            raise ValueError(
                f"{name} must be at least {least}; got --config.{name}={config[name]}."
            )
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"seed must be in [0, 2 ** 32); got --config.seed={config.seed}.")
    if not 0 <= config.ema_decay < 1:
        raise ValueError(
            f"ema_decay must be in [0, 1); got --config.ema_decay={config.ema_decay}. "
            "Use 0.0 for no average, 0.999 for one of about 1000 steps."
        )
    steps.shard(np.zeros(config.batch_size))  # refuses what the devices do not divide


def _batch(data: Any, config: ConfigDict, step: int) -> np.ndarray:
    """The data of one step, with an axis of devices; ValueError for a token outside [0, K)."""
    x = data.batch(config.seed, step - 1, config.batch_size)
    categorical.check_tokens(x, data.num_classes)
    return steps.shard(x)


def _check_finite(
    experiment: Experiment, config: ConfigDict, state: steps.TrainState, rng: jax.Array, step: int
) -> None:
    """Raises ValueError if a step up to `step` failed: with the part, if the model can tell.

    A step whose numbers are not finite leaves the state, and its count of steps, as it was.
    """
    reached = int(steps.unreplicate(state.step))
    if reached == step:
        return
    params = steps.unreplicate(state.params)
    reason = "The model itself is finite there; its gradient is not."
    try:
        for device, x in enumerate(_batch(experiment.data, config, reached + 1)):
            key = steps.step_key(rng, reached, device)
            experiment.model.check(params, key, jax.numpy.asarray(x, np.int32))
    except ValueError as error:
        reason = str(error)
    raise ValueError(
        f"Loss and gradient must be finite; at step {reached + 1} they are not, and nothing of it "
        f"is saved. {reason} Use a smaller learning rate, in another --workdir."
    )


def _start(
    experiment: Experiment, config: ConfigDict, rng: jax.Array, checkpoints: Checkpoints
) -> steps.TrainState:
    """The newest saved state, or a fresh one."""
    model, event = experiment.model, experiment.data.event_shape
    x = jax.ShapeDtypeStruct((min(config.batch_size, 8), *event), np.int32)

    def init(rng, x):
        return steps.init_state(experiment.objective, experiment.optimizer, model.init(rng, x))

    if checkpoints.latest() is not None:
        return checkpoints.restore(jax.eval_shape(init, rng, x))
    x = jax.numpy.asarray(experiment.data.batch(config.seed, 0, x.shape[0]), np.int32)
    state = jax.jit(init)(rng, x)
    model.check(state.params, rng, x)
    return state


@contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that fills when SIGINT or SIGTERM arrives; the second one acts as usual."""
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
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
