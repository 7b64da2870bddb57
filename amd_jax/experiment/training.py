"""Trains a run in its folder: checks before the first step, callbacks during it.

A run is an `experiment.Run`: the numbers of an experiment, data, and what is composed of both.
"""

import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amd_jax.devices import jax_settings, parallel
from amd_jax.devices.machine import Beside
from amd_jax.evaluation.reports import run_report
from amd_jax.experiment import starting
from amd_jax.host import memory
from amd_jax.host.log import logger
from amd_jax.learning import loop
from amd_jax.learning.config_values import check_numbers
from amd_jax.learning.profile import traced
from amd_jax.models import bounds
from amd_jax.runs import lock, run_folder
from amd_jax.runs.run_callbacks import Keeper
from amd_jax.types import Params

if TYPE_CHECKING:
    from amd_jax.experiment.experiment import Run

COUNTED = 10_000  # training rows whose lengths make loss a number per unit


def train(
    run: "Run",
    workdir: str | Path,
    start: starting.Start | None = None,
    *,
    extend: bool = False,
    profile: bool = False,
    evaluate: loop.Evaluate | None = None,
    beside: Callable[[], Beside] | None = None,
) -> Params:
    """Trains a run in a folder, or goes on with it: its averaged parameters.

    A new one starts from the parameters of `start`, if there are some, which teach it, too, where
    its objective is a `Distillation`; `beside` is that of `loop.train`, and the others are those
    of `Experiment.fit`.
    """
    check_numbers(run.config)
    jax_settings.check_float32()
    size = 8 * run.config.batch_size * math.prod(run.facts.event_shape)  # where rows are chosen
    memory.check(size, "The rows of a batch", "Use a smaller batch_size.")
    lock.check_local(workdir)
    workdir, contents = Path(workdir), run.contents()
    params, parts = starting.begun(start, run, workdir)
    parallel.check_same("config, experiment file and data", json.dumps(contents, indent=0))
    identity = ""
    if parallel.is_first():
        identity = run_folder.claim(workdir, contents, file=run.experiment.file, extend=extend)
    rows = run.data.rows("train")[:COUNTED]
    nats_per_bit = np.log(2) * run.facts.lengths(rows).mean()
    with Keeper(workdir, identity, nats_per_bit, run.facts.unit) as keeper:
        return loop.train(
            parts,
            run.data,
            run.config,
            keeper,
            params=params,
            evaluate=evaluate or _validation(run),
            traced=functools.partial(traced, workdir / "profile") if profile else None,
            beside=beside,
        )


def _validation(run: "Run") -> loop.Evaluate | None:
    """What is measured on the way: the default bound on some rows of the validation split."""
    if "validation" not in run.data.splits:
        return None

    def evaluate(params: Params) -> dict[str, float]:
        number = run.config.evaluate_texts
        result, _ = run_report.bits(run.model, params, run.data, split="validation", number=number)
        for line in getattr(run.model, "describe", lambda _: [])(params):
            logger.warning(line)
        name = f"validation_{bounds.of(run.model)[0].name}_bits_per_{run.facts.unit}"
        error = {f"{name}_error": result.error} if result.examples > 1 else {}
        return {name: result.bits, **error}

    return evaluate
