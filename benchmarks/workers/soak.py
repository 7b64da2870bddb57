"""Trains the quickstart for some minutes, and prints what the process held all along."""

import dataclasses
import json
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
from typing import Any

import jax
from ml_collections import ConfigDict

from amd_jax import Experiment
from amd_jax.experiment import training
from amd_jax.learning.loop import Interrupted
from amd_jax.runs.run_callbacks import Keeper
from benchmarks.workers import ours

ENDLESS = 10**9  # steps
COMPILED = "/jax/core/compile/backend_compile_duration"  # JAX tells it of every program
MB = 1024  # kB, in which /proc counts


@dataclasses.dataclass
class Counts:
    """What has happened so far."""

    compilations: int = 0
    steps: int = 0
    evaluations: int = 0
    saves: int = 0
    late: int = 0  # compilations after the first evaluation


class Watch:
    """Samples of this process, from the first step on; after some minutes it stops the training.

    As a user does, by a signal; never before the first evaluation.
    """

    def __init__(self, minutes: float, every: float):
        """Looks `every` so many seconds."""
        self.counts, self.samples = Counts(), []
        self._seconds, self._every = 60 * minutes, every
        self._evaluated = threading.Event()
        jax.monitoring.register_event_duration_secs_listener(self._heard)

    def begin(self) -> None:
        """Samples from now on, in a thread."""
        threading.Thread(target=self._look, daemon=True).start()

    def evaluated(self) -> None:
        """Counts an evaluation."""
        self.counts.evaluations += 1
        self._evaluated.set()

    def _heard(self, event: str, seconds: float, **_: Any) -> None:
        if event == COMPILED:
            self.counts.compilations += 1
            self.counts.late += self._evaluated.is_set()

    def _look(self) -> None:
        began = time.monotonic()
        more = True
        while more:  # the last sample is of after the first evaluation, too
            now = time.monotonic() - began
            more = now < self._seconds or not self._evaluated.is_set()
            self.samples.append({"minute": now / 60, **held(), **dataclasses.asdict(self.counts)})
            time.sleep(self._every)
        os.kill(os.getpid(), signal.SIGTERM)


def held() -> dict[str, float]:
    """What this process holds now."""
    here = pathlib.Path("/proc/self")
    lines = (here / "status").read_text().splitlines()
    status = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
    return {
        "resident": int(status["VmRSS"][0]) / MB,
        "peak": int(status["VmHWM"][0]) / MB,
        "files": len(os.listdir(here / "fd")),
        "threads": int(status["Threads"][0]),
        "maps": (here / "maps").read_bytes().count(b"\n"),
    }


def counting(watch: Watch) -> type[Keeper]:
    """The keeper of a run, which tells what it is told."""

    class Counting(Keeper):
        def begun(self, start: int, total: int) -> None:
            super().begun(start, total)
            watch.begin()

        def stepped(self, step: int) -> None:
            super().stepped(step)
            watch.counts.steps += 1

        def evaluated(self, step: int, metrics: dict[str, float]) -> None:
            super().evaluated(step, metrics)
            watch.evaluated()

        def save(self, state: Any, score: float | None) -> None:
            super().save(state, score)
            watch.counts.saves += 1

    return Counting


def configured(config: ConfigDict, changes: dict[str, Any]) -> ConfigDict:
    """The config with other numbers, and no end."""
    config.update(changes)
    config.num_steps = ENDLESS
    return config


def main() -> None:
    """Trains as `Experiment.fit` does until the time is over, and prints the samples."""
    ours.keep_pages()
    asked = json.loads(sys.argv[1])
    experiment = Experiment.open("experiments/quickstart.py")
    config = configured(experiment.config(), asked["changes"])
    watch = Watch(asked["minutes"], asked["every"])
    training.Keeper = counting(watch)  # all else is what `fit` does for a user
    with tempfile.TemporaryDirectory() as workdir:
        try:
            experiment.fit(workdir, config)
        except Interrupted:
            print(json.dumps({"config": config.to_dict(), "samples": watch.samples}))


if __name__ == "__main__":
    main()
