"""What the training loop costs beside the bare compiled step, at the size of the quickstart.

One process takes turns between `loop.train`, which draws batches, checks and logs, and the same
step on a batch that is there. Saving is left out.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import processes
from benchmarks.results import Row, spread, tabulate, timed

WORKER = "benchmarks.workers.training_loop"


def measure(turns: int = 5, changes: Mapping[str, Any] | None = None) -> Iterator[Row]:
    """Rows of both, and of the difference in %; `changes` are to the config."""
    asked = json.dumps({"turns": turns, "changes": dict(changes or {})})
    result = processes.ask(WORKER, True, asked)
    config, bare, loop = result["config"], result["bare"], result["loop"]
    title = f"overhead: train, batch {config['batch_size']}, length {config['length']}"
    sides = {"bare": bare, "in the loop": loop}
    rows = [timed("overhead", {"step": side, **config}, runs) for side, runs in sides.items()]
    yield from tabulate(title, "step", rows)
    for clock in ("wall", "cpu"):
        step = f"overhead, {clock} time"
        row = spread("overhead", {"step": step, **config}, percent(bare, loop, clock), "%")
        print(f"  {step}: {row.median:.1f} % ({row.min:.1f} to {row.max:.1f})", flush=True)
        yield row


def percent(bare: list[dict], loop: list[dict], clock: str) -> list[float]:
    """How much more each turn of the loop took than the bare turns just before and after it."""
    around = [(before[clock] + after[clock]) / 2 for before, after in itertools.pairwise(bare)]
    return [100 * (own[clock] / step - 1) for own, step in zip(loop, around, strict=True)]
