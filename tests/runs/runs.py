"""What the tests of training ask of a run: train one, its metrics, and its newest state."""

import json
import pathlib

import jax

from amd_jax.experiment import Experiment, open_run
from amd_jax.learning import training_step
from amd_jax.runs import run_folder
from amd_jax.runs.checkpoints import Checkpoints

SOURCE = pathlib.Path(__file__).parent / "pairs.py"
CLOCK = {"elapsed_seconds", "steps_per_second", "examples_per_second"}
CLOCK |= {"share_of_peak", "memory_gb"}


def train(workdir, evaluate=None, **numbers):
    """Trains `pairs` with some numbers changed; its averaged parameters."""
    experiment = Experiment.open(SOURCE)
    config = experiment.config()
    config.update(numbers)
    return jax.device_get(experiment.fit(workdir, config, evaluate=evaluate)[1])


def metrics(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def step_logged(workdir):
    """The last step in the metrics, which a line that is being written does not count for."""
    path = workdir / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("\n")), default=0)


def saved(run, workdir):
    """The newest state of a run."""
    x = run.data.batch(0, 0, 2).astype("int32")

    def init(rng, x):
        params = run.model.init(rng, x)
        return training_step.init_state(run.parts.objective, run.parts.optimizer, params)

    template = jax.eval_shape(init, jax.random.key(0), x)
    with Checkpoints(workdir, identity(workdir)) as result:
        return result.restore(template)


def identity(workdir):
    return run_folder.read_notes(workdir)["run"]


def ending(workdir):
    """The newest state, and the lines of metrics without the clock's."""
    state = saved(open_run(workdir), workdir)
    lines = [{k: v for k, v in line.items() if k not in CLOCK} for line in metrics(workdir)]
    return state, lines
