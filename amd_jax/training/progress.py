"""What a run shows while it trains: one console line, metrics.jsonl, TensorBoard."""

import json
import re
import time
from pathlib import Path
from typing import Any

import jax
from tensorboardX import SummaryWriter
from tqdm import tqdm

LINE_SECONDS = 20.0  # between two lines where there is no terminal


class Progress:
    """Metrics of steps `start` + 1 … `total`, in files and on the console.

    Continues the files of an earlier part of the run: lines beyond `start` are dropped, since
    those steps are taken again.
    """

    def __init__(
        self,
        workdir: Path,
        start: int,
        total: int,
        log_every: int,
        nats_per_bit: float,
        unit: str,
    ):
        """`nats_per_bit` is what divides a loss of a whole event to give bits per `unit`."""
        self._start, self._total, self._log_every = start, total, log_every
        self._nats_per_bit, self._unit = nats_per_bit, unit
        self._file = _continued(workdir / "metrics.jsonl", start)
        self._board = SummaryWriter(str(workdir / "tensorboard"), purge_step=start + 1)
        self._bar = tqdm(total=total, initial=start, disable=None, unit="step", smoothing=0.05)
        self._pending: list[dict[str, jax.Array]] = []
        self._since = self._told = self._began = time.monotonic()

    def __enter__(self) -> "Progress":
        """Itself."""
        return self

    def __exit__(self, *_: Any) -> None:
        """Closes bar and files."""
        self._bar.close()
        self._file.close()
        self._board.close()

    def update(self, step: int, metrics: dict[str, jax.Array]) -> None:
        """Notes the metrics of one step (scalars, maybe still being computed)."""
        if step == self._start + 1:  # it compiled: time starts here
            self._since = self._began = time.monotonic()
        self._bar.update()
        self._pending.append(metrics)
        if step % self._log_every and step != self._total:
            return
        values = jax.device_get(self._pending)
        means = {name: float(sum(v[name] for v in values)) / len(values) for name in metrics}
        now = time.monotonic()
        speed = len(values) / max(now - self._since, 1e-9)
        self._pending, self._since = [], now
        loss = means.pop("loss_nats") / self._nats_per_bit
        self.write(step, {f"loss_bits_per_{self._unit}": loss, **means, "steps_per_second": speed})
        self._bar.set_postfix_str(f"loss {loss:.3f} bits/{self._unit}")
        if self._bar.disable and (now - self._told > LINE_SECONDS or step == self._total):
            self._told = now
            left = (self._total - step) * (now - self._began) / (step - self._start)
            self.say(
                f"step {step}/{self._total}  loss {loss:.3f} bits/{self._unit}  "
                f"{speed:.1f} steps/s  {_duration(left)} left"
            )

    def evaluated(self, step: int, metrics: dict[str, float]) -> None:
        """Writes and shows metrics of an evaluation at `step`."""
        self.write(step, metrics)
        line = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        self.say(f"step {step}  " + re.sub(r"  \S+_error ", " ± ", line))
        self._since = time.monotonic()

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Writes metrics, whose names carry their units, to both files."""
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._board.add_scalar(name, value, step)

    def say(self, line: str) -> None:
        """Prints a line without breaking the bar."""
        tqdm.write(line)


def _continued(path: Path, start: int):
    """The file of metrics, cut back to `start`, open for appending."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines if 0 < _step(line) <= start]
    if len(kept) != len(lines):
        draft = path.with_suffix(".draft")
        draft.write_text("".join(kept))
        draft.replace(path)
    return path.open("a")


def _step(line: str) -> int:
    """The step of a line of metrics; 0 for a damaged one, such as half a line after a kill."""
    try:
        return json.loads(line)["step"] if line.endswith("\n") else 0
    except (ValueError, KeyError, TypeError):
        return 0


def _duration(seconds: float) -> str:
    """Such as "3 min 20 s"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
