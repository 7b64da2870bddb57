"""What a run shows while it trains: one console line, metrics.jsonl, TensorBoard."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from tensorboardX import SummaryWriter
from tqdm import tqdm

from amd_jax import parallel
from amd_jax.training import workdir as workdirs
from amd_jax.training.machine import duration

LINE_SECONDS = 20.0  # between two lines where there is no terminal


class Progress:
    """Metrics of steps `start` + 1 … `total`, in files and on the console.

    Continues the files of an earlier part of the run: lines beyond `start` are dropped, since
    those steps are taken again. Only the first process of a run writes and prints.
    """

    def __init__(
        self,
        workdir: Path,
        start: int,
        total: int,
        log_every: int,
        nats_per_bit: float,
        unit: str,
        pending: list[dict[str, float]],
        rates: Callable[[float], dict[str, float]],
    ):
        """Of an earlier part, `pending` are the metrics of steps that are not logged yet.

        `nats_per_bit` is what divides a loss of a whole event to give bits per `unit`; `rates`
        tells more of a speed in steps per second.
        """
        self._start, self._total, self._log_every = start, total, log_every
        self._nats_per_bit, self._unit, self._rates = nats_per_bit, unit, rates
        if parallel.is_first():
            self._file = _continued(workdir / "metrics.jsonl", start)
            self._board = SummaryWriter(str(workdir / "tensorboard"), purge_step=start + 1)
        quiet = None if parallel.is_first() else True  # None: quiet where there is no terminal
        self._bar = tqdm(total=total, initial=start, disable=quiet, unit="step", smoothing=0.05)
        self._pending: list[dict[str, Any]] = list(pending)
        self._logged = start  # the step that speed is counted from
        self._since = self._told = self._began = time.monotonic()

    def __enter__(self) -> "Progress":
        """Itself."""
        return self

    def __exit__(self, *_: Any) -> None:
        """Closes bar and files."""
        self._bar.close()
        if parallel.is_first():
            self._file.close()
            self._board.close()

    def update(self, step: int, metrics: dict[str, jax.Array]) -> None:
        """Notes the metrics of one step (replicated scalars, maybe still being computed)."""
        self._bar.update()
        self._pending.append(metrics)
        if step % self._log_every and step != self._total:
            return
        means = _means(self.pending())
        now = time.monotonic()
        speed = (step - self._logged) / max(now - self._since, 1e-9)
        self._pending, self._since, self._logged = [], now, step
        line = {}
        if "loss_nats" in means:
            line[f"loss_bits_per_{self._unit}"] = means.pop("loss_nats") / self._nats_per_bit
        self.write(step, line | means | {"steps_per_second": speed} | self._rates(speed))
        self._show(step, speed, line)

    def pending(self) -> list[dict[str, float]]:
        """The metrics of the steps since the last line, which a continued run needs."""
        self._pending = [_floats(metrics) for metrics in self._pending]
        return list(self._pending)

    def _show(self, step: int, speed: float, losses: dict[str, float]) -> None:
        """What has been logged, on the console."""
        loss = "  ".join(f"loss {bits:.3f} bits/{self._unit}" for bits in losses.values())
        self._bar.set_postfix_str(loss)
        now = time.monotonic()
        if self._bar.disable and (now - self._told > LINE_SECONDS or step == self._total):
            self._told = now
            left = (self._total - step) * (now - self._began) / (step - self._start)
            self.say(
                f"step {step}/{self._total}  {loss}  {speed:.1f} steps/s  {duration(left)} left"
            )

    def evaluated(self, step: int, metrics: dict[str, float]) -> None:
        """Writes and shows metrics of an evaluation at `step`."""
        self.write(step, metrics)
        line = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        self.say(f"step {step}  " + re.sub(r"  \S+_error ", " ± ", line))
        self._since, self._logged = time.monotonic(), step  # what it took is not the steps'

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Writes metrics, whose names carry their units, to both files."""
        if not parallel.is_first():
            return
        try:
            self._file.write(f"{json.dumps({'step': step, **metrics})}\n".encode())
        except OSError as error:
            raise OSError(
                f"{self._file.name} cannot be written: {error.strerror}. Free what is needed; the "
                "same command goes on from the newest checkpoint."
            ) from error
        for name, value in metrics.items():
            self._board.add_scalar(name, value, step)

    def sync(self) -> None:
        """Puts what is written on the disk, before a checkpoint says that it is there."""
        if parallel.is_first():
            os.fsync(self._file.fileno())

    def say(self, line: str) -> None:
        """Prints a line without breaking the bar."""
        if parallel.is_first():
            tqdm.write(line)


def _floats(metrics: dict[str, jax.Array | float]) -> dict[str, float]:
    """Metrics as numbers; those that are numbers already stay as they are."""
    return {
        name: value if isinstance(value, float) else float(parallel.unreplicate(value))
        for name, value in metrics.items()
    }


def _means(steps: list[dict[str, float]]) -> dict[str, float]:
    """The means over the steps that were not skipped, and how many were, if any."""
    taken = [metrics for metrics in steps if not metrics["skipped"]]
    names = [name for name in steps[0] if name != "skipped" and taken]
    means = {name: sum(metrics[name] for metrics in taken) / len(taken) for name in names}
    skipped = len(steps) - len(taken)
    return means | ({"skipped_steps": skipped} if skipped else {})


def _continued(path: Path, start: int):
    """The file of metrics, cut back to `start`, open for appending."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines if 0 < _step(line) <= start]
    if len(kept) != len(lines):
        workdirs.write(path, "".join(kept).encode())
    return path.open("ab", buffering=0)


def _step(line: str) -> int:
    """The step of a line of metrics; 0 for a damaged one, such as half a line after a kill."""
    try:
        return json.loads(line)["step"] if line.endswith("\n") else 0
    except (ValueError, KeyError, TypeError):
        return 0
