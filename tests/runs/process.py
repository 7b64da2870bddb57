"""A process that trains `pairs`: python -m tests.runs.process WORKDIR NUMBERS [FLAGS].

NUMBERS is JSON that overrides the config; FLAGS too, the arguments of `joining.start`.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys

from amd_jax.cli import command_line
from amd_jax.devices import joining

ROOT = pathlib.Path(__file__).parents[2]


def start(workdir, numbers=None, devices=2, joined=None, **environment) -> subprocess.Popen:
    """Starts a process that trains, with its own number of devices."""
    arguments = [str(workdir), json.dumps(numbers or {}), json.dumps(joined or {})]
    return python("tests.runs.process", *arguments, devices=devices, **environment)


def python(module, *arguments, cwd=ROOT, devices=2, **environment) -> subprocess.Popen:
    """Starts a module in a folder.

    In a session of its own, so that a signal to it, or a terminal, is not this process's. It
    compiles as this process does, to the same bits.
    """
    from tests import conftest  # it computes at once, which is too early for `main`

    own = conftest.compiling_alike() | {"JAX_NUM_CPU_DEVICES": str(devices)} | environment
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heedful,
    )


def heedful() -> None:
    """Heeds a closed terminal, also where the tests were started with nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def cache(folder) -> dict[str, str]:
    """The environment of processes that share what they compile."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def train(workdir, numbers=None, **options) -> str:
    """What a process that has trained to the end wrote to stderr."""
    process = start(workdir, numbers, **options)
    _, error = process.communicate(timeout=300)
    assert process.returncode in (0, -signal.SIGKILL), error
    return error


def main(workdir: str, numbers: str, joined: str) -> None:
    joining.start(**json.loads(joined))
    from amd_jax.experiment import Experiment
    from tests.runs import pairs  # it computes at once, which is too early before

    experiment = Experiment.open(pairs)
    config = experiment.config()
    config.update(json.loads(numbers))
    experiment.fit(workdir, config, evaluate=lambda params: {"score_bits": 1.0})


if __name__ == "__main__":
    command_line.run(main, *sys.argv[1:])
