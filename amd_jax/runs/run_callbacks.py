"""Callbacks that keep a run in its folder while it trains, and show it on the console."""

import contextlib
import os
import re
import sys
import time
from pathlib import Path

from tqdm import tqdm

from amd_jax.devices import parallel
from amd_jax.runs import lock
from amd_jax.runs.checkpoints import Checkpoints
from amd_jax.runs.metrics_log import Curves
from amd_jax.types import PyTree

LINE_SECONDS = 20.0  # between two lines where there is no terminal


class Keeper:
    """The `learning.keeping.Keeper` of a folder: checkpoints, metrics.jsonl, TensorBoard, a bar.

    Continues the files of an earlier part of the run: lines beyond the step it starts from are
    dropped, since those steps are taken again. Only the first process of a run writes and prints.
    """

    def __init__(self, workdir: Path, run: str, nats_per_bit: float, unit: str):
        """Of a claimed workdir; `nats_per_bit` makes a loss of a whole event bits per `unit`."""
        self._workdir = Path(workdir).absolute()
        self._nats_per_bit, self._unit = nats_per_bit, unit
        self._checkpoints = Checkpoints(workdir, run)
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> "Keeper":
        """Itself."""
        return self

    def __exit__(self, kind: type | None, *rest: object) -> None:
        """Closes everything; OSError if the last save fails, unless something else has."""
        self._opened.close()
        self._checkpoints.__exit__(kind, *rest)

    def restored(self, template: PyTree) -> PyTree:
        """The newest state that was saved; None if there is none."""
        return self._checkpoints.restore(template)

    def begun(self, start: int, total: int) -> None:
        """Opens the files, cut back to step `start` of so many."""
        self._start, self._total, self._elapsed = start, total, 0.0
        self._printed = self._began = time.monotonic()
        if parallel.is_first():
            self._curves = Curves(self._workdir, start)
            self._opened.callback(self._curves.close)
            self._elapsed = float(self._curves.last.get("elapsed_seconds", 0.0))
        quiet = None if parallel.is_first() else True  # None: quiet where there is no terminal
        self._bar = tqdm(total=total, initial=start, disable=quiet, unit="step", smoothing=0.05)
        self._opened.callback(self._bar.close)

    def print_line(self, line: str) -> None:
        """Prints a line without breaking the bar."""
        if parallel.is_first():
            print_line(line)

    def stepped(self, step: int) -> None:
        """Moves the bar."""
        self._bar.update()

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Writes and shows metrics, the loss in bits; elapsed time is that of all sittings.

        Raises ValueError if the folder is gone.
        """
        result = dict(metrics)
        loss = ""
        if (nats := result.pop("loss_nats", None)) is not None:
            bits = nats / self._nats_per_bit
            result = {f"loss_bits_per_{self._unit}": bits, **result}
            loss = f"loss {bits:.3f} bits/{self._unit}"
        result["elapsed_seconds"] += self._elapsed
        self._write(step, result)
        self._bar.set_postfix_str(loss)
        now = time.monotonic()
        if self._bar.disable and (now - self._printed > LINE_SECONDS or step == self._total):
            self._printed = now
            left = (self._total - step) * (now - self._began) / (step - self._start)
            line = f"step {step}/{self._total}  {loss}  {result['steps_per_second']:.1f} steps/s"
            self.print_line(f"{line}  {tqdm.format_interval(left)} left")

    def evaluated(self, step: int, metrics: dict[str, float]) -> None:
        """Writes and shows metrics of an evaluation."""
        self._write(step, metrics)
        line = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        self.print_line(f"step {step}  " + re.sub(r"  \S+_error ", " ± ", line))

    def save(self, state: PyTree, score: float | None) -> None:
        """Saves a state, once the metrics before it are on the disk."""
        if parallel.is_first():
            lock.check_held(self._workdir)
            self._curves.sync()
        self._checkpoints.save(state, score)

    def _write(self, step: int, metrics: dict[str, float]) -> None:
        """Writes metrics, whose names carry their units."""
        if parallel.is_first():
            lock.check_held(self._workdir)
            self._curves.write(step, metrics)


def print_line(line: str) -> None:
    """Prints a line without breaking a bar; nothing once nobody reads on, as of `| head`."""
    try:
        tqdm.write(line)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
