"""What the tests of training ask of a run: train one, its metrics, and its newest state."""

import json
import pathlib

import jax

from amd_jax.training import checkpoints, loop
from amd_jax.training import step as steps
from amd_jax.training import workdir as workdirs

SOURCE = pathlib.Path(__file__).parent / "pairs.py"
CLOCK = {"steps_per_second", "examples_per_second", "share_of_peak", "memory_gb"}


def train(workdir, evaluate=None, **numbers):
    """Trains `pairs` with some numbers changed; its averaged parameters."""
    module = workdirs.load_module(SOURCE)
    config = module.get_config()
    config.update(numbers)
    workdirs.claim(workdir, config, SOURCE, "pairs")
    return jax.device_get(loop.train(module.build(config), config, workdir, evaluate))


def metrics(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def saved(experiment, workdir):
    """The newest state of a run, and the metrics that were pending."""
    x = experiment.data.batch(0, 0, 2).astype("int32")
    params = experiment.model.init(jax.random.key(0), x)
    template = steps.init_state(experiment.objective, experiment.optimizer, params)
    with checkpoints.Checkpoints(workdir) as found:
        return found.restore(template)


def ending(workdir):
    """The newest state, what was pending, and the lines of metrics without the clock's."""
    state, pending = saved(workdirs.load_experiment(workdir)[0], workdir)
    lines = [{k: v for k, v in line.items() if k not in CLOCK} for line in metrics(workdir)]
    return state, pending, lines
