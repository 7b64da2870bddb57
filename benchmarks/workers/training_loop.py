"""The training loop and the bare step in one process, in turn: prints seconds per step."""

import dataclasses
import json
import math
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from amd_jax.data.text import Text
from amd_jax.learning import loop
from amd_jax.runs import lock
from amd_jax.runs.run_callbacks import Keeper
from benchmarks.workers import ours
from experiments import quickstart

CHARACTERS = 300_000


@dataclasses.dataclass
class Turns:
    """Data of a run that give the bare step its turn, and time that and the loop's.

    The loop asks for a batch when it has just logged a turn's steps, and so waited for them.
    """

    data: Text
    bare_step: Callable[..., None]
    steps: int  # of a turn
    bare: list[dict] = dataclasses.field(default_factory=list)  # per step, as results.timed takes
    loop: list[dict] = dataclasses.field(default_factory=list)
    since: tuple[float, float] | None = None  # the loop's turn began; None: its first compiles

    def __getattr__(self, name: str) -> Any:
        """All but the batches is the data's."""
        return getattr(self.data, name)

    def batch(self, seed: int, step: int, batch_size: int) -> np.ndarray:
        """The data's."""
        if step and step % self.steps == 0:
            self._change()
        return self.data.batch(seed, step, batch_size)

    def _change(self) -> None:
        """Ends a turn of the loop, lets the bare step have one, and begins the loop's next."""
        if self.since is not None:
            self.loop.append(self._per_step(self.since))
        began = clocks()
        for i in range(self.steps):
            last = i == self.steps - 1
            self.bare_step(wait=last or jax.default_backend() == "cpu")  # as the loop does
        self.bare.append(self._per_step(began))
        self.since = clocks()

    def _per_step(self, began: tuple[float, float]) -> dict[str, float]:
        """What a step of the turn took that began then and ends now."""
        wall, cpu = ((now - then) / self.steps for now, then in zip(clocks(), began, strict=True))
        return {"wall": wall, "cpu": cpu, "peak_mb": ours.peak_mb()}


def clocks() -> tuple[float, float]:
    """Seconds of wall time, and of this process's CPU time."""
    return time.perf_counter(), time.process_time()


def configured(turns: int, changes: dict[str, Any]) -> ConfigDict:
    """The quickstart's numbers, saving only at the end."""
    config = quickstart.get_config()
    config.update(changes)
    config.num_steps = (turns + 1) * config.log_every + 1  # a first turn that compiles, and an end
    config.checkpoint_every = config.num_steps
    return config


def made_up(text: Text) -> Text:
    """The same rows of random characters."""
    tokens = np.random.default_rng(0).integers(len(text.alphabet), size=CHARACTERS, dtype=np.uint8)
    return dataclasses.replace(text, streams={"train": tokens}, name="made up")


def main() -> None:
    """Trains with the loop, and prints what its steps and the bare ones took."""
    ours.keep_pages()
    config = configured(**json.loads(sys.argv[1]))
    data, rng = made_up(quickstart.data(config)), jax.random.key(0)
    parts = quickstart.build(config, data.facts)
    x = data.batch(config.seed, 0, config.batch_size)
    numbers = {name: config[name] for name in ("ema_decay", "accumulate", "clip", "log_every")}
    _, bare_step = ours.trainer(parts.objective, parts.optimizer, x, rng, **numbers)
    bare_step()  # compiles
    turns = Turns(data, bare_step, config.log_every)
    nats_per_bit = math.log(2) * data.length
    with tempfile.TemporaryDirectory() as workdir:
        lock.hold(workdir)
        with Keeper(pathlib.Path(workdir), "benchmark", nats_per_bit, "char") as keeper:
            loop.train(parts, turns, config, keeper)
    result = {"config": config.to_dict(), "bare": turns.bare, "loop": turns.loop}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
