"""Trains a run in its folder: checks before the first step, callbacks during it.

A run is an `experiment.Run`: the numbers of an experiment, data, and what is composed of both.
"""

import dataclasses
import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from amd_jax.devices import jax_settings, parallel
from amd_jax.devices.machine import Beside
from amd_jax.evaluation.reports import run_report
from amd_jax.facts import Json
from amd_jax.host import memory
from amd_jax.host.log import logger
from amd_jax.learning import loop
from amd_jax.learning.config_values import check_numbers
from amd_jax.learning.distillation import Distillation
from amd_jax.learning.profile import traced
from amd_jax.models import bounds
from amd_jax.runs import lock, run_folder
from amd_jax.runs.run_callbacks import Keeper
from amd_jax.types import Model, Params

if TYPE_CHECKING:
    from amd_jax.experiment.experiment import Run

COUNTED = 10_000  # training rows whose lengths make loss a number per unit
SAME = (
    "kind",
    "num_classes",
    "alphabet",
    "texts",
)  # facts of data on which one run may follow another


class Start(NamedTuple):
    """What a run starts from: the parameters of another one, or of exported weights."""

    name: str | Path
    params: Params
    facts: Json  # of its data
    model: Model


def train(
    run: "Run",
    workdir: str | Path,
    start: Start | None = None,
    *,
    extend: bool = False,
    profile: bool = False,
    evaluate: loop.Evaluate | None = None,
    beside: Callable[[], Beside] | None = None,
) -> Params:
    """Trains a run in a folder, or goes on with it: its averaged parameters.

    A new one starts from the parameters of `start`, if there is one, which teach it, too, where
    its objective is a `Distillation`; `beside` is that of `loop.train`, and the others are those
    of `Experiment.fit`.
    """
    check_numbers(run.config)
    jax_settings.check_float32()
    size = 8 * run.config.batch_size * math.prod(run.facts.event_shape)  # where rows are chosen
    memory.check(size, "The rows of a batch", "Use a smaller batch_size.")
    lock.check_local(workdir)
    workdir, contents = Path(workdir), run.contents()
    fresh = _fresh_parameters(run)
    params = None if start is None else _fitting(start, run, fresh)
    parts = _taught(run, workdir, start, fresh)
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


def _fresh_parameters(run: "Run") -> Params:
    """Shapes of fresh parameters; what does not fit the data raises ValueError."""
    rows = min(run.config.batch_size, 8)
    x = jax.ShapeDtypeStruct((rows, *run.facts.event_shape), np.int32)
    return jax.eval_shape(run.model.init, jax.random.key(0), x)


def _fitting(start: Start, run: "Run", fresh: Params) -> Params:
    """The parameters to start from; ValueError unless they fit this run."""
    facts = run.contents().facts
    for name in SAME:
        theirs, mine = start.facts.get(name), facts.get(name)
        if theirs != mine:
            raise ValueError(
                f"A run starts from one on the same tokens; {name} is {theirs!r} in "
                f"{start.name}, and {mine!r} here."
            )
    shapes = [
        {jax.tree_util.keystr(path): leaf.shape for path, leaf in jax.tree.leaves_with_path(tree)}
        for tree in (start.params, fresh)
    ]
    if shapes[0] != shapes[1]:
        name = sorted(dict(shapes[0].items() ^ shapes[1].items()))[0]
        theirs, mine = (result.get(name, "missing") for result in shapes)
        raise ValueError(
            f"A run starts from one of the same model; {name} is {theirs} in {start.name}, and "
            f"{mine} here. Use the same numbers of the network."
        )
    return start.params


def _taught(run: "Run", workdir: Path, start: Start | None, fresh: Params) -> loop.Parts:
    """The parts of a run, with its teacher where the objective needs one: what it starts from.

    A run that goes on has its teacher in its checkpoints. Raises ValueError for a run without a
    start, and for one of other noise.
    """
    parts = run.parts
    if not isinstance(parts.objective, Distillation):
        return parts
    if start is not None:
        parts.objective.check_teacher(start.model, start.name)
        teacher = start.params
    elif run_folder.has_checkpoint(workdir):
        teacher = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), fresh)  # read over
    else:
        raise ValueError(
            "A student starts from its teacher. Give --init_from=RUN, or the name of weights."
        )
    return parts._replace(objective=dataclasses.replace(parts.objective, teacher=teacher))
