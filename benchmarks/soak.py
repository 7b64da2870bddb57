"""What a process that trains for long holds on to: memory, open files, threads, programs.

The quickstart at a small size, so that minutes hold as many evaluations and saves as days of a
real run. The slopes are of least squares. Neighbouring samples tell nearly the same, and the error
of a line through all of them would be far too small: the line goes through the means of blocks,
whose rests pass for independent. What wanders for longer than a block has a larger error still.
"""

import json
import pathlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import processes
from benchmarks.processes import Failure
from benchmarks.results import Row, spread

WORKER = "benchmarks.workers.soak"
SMALL = {
    **{"batch_size": 2, "length": 16, "timesteps": 8, "evaluate_texts": 4},
    **{"evaluate_every": 20, "checkpoint_every": 40, "log_every": 10},
    "network": {"width": 8, "blocks": 1, "join_width": 8},
}
WARM = 2.0  # minutes before the line begins; of a run shorter than twice that, the first half
BLOCKS = 12
QUANTITIES = {  # of a sample: title and unit
    "resident": ("resident memory", "MB"),
    "peak": ("peak memory", "MB"),
    "files": ("open files", ""),
    "threads": ("threads", ""),
    "maps": ("memory maps", ""),
    "compilations": ("compilations", ""),
    "late": ("after an evaluation", ""),  # of the compilations
    "steps": ("steps", ""),
    "evaluations": ("evaluations", ""),
    "saves": ("saves", ""),
}
Sample = Mapping[str, float]  # the quantities at a minute


class Line(NamedTuple):
    """How steep a line of least squares is."""

    slope: float
    error: float  # its standard error
    points: int


def measure(
    minutes: float = 20.0, every: float = 1.0, changes: Mapping[str, Any] | None = None
) -> Iterator[Row]:
    """Rows of what there is after the first minutes, and of its slopes: see `told`.

    Samples are taken `every` so many seconds; `changes` are to the config.
    """
    if not pathlib.Path("/proc/self/maps").exists():
        raise Failure("A soak reads /proc/self, which Linux has; here is none.")
    asked = {"minutes": minutes, "every": every, "changes": {**SMALL, **(changes or {})}}
    patience = processes.PATIENCE + 60 * minutes
    result = processes.ask(WORKER, True, json.dumps(asked), patience=patience)
    yield from told(result["samples"], min(WARM, minutes / 2), {"minutes": minutes})


def told(samples: Sequence[Sample], warm: float, parameters: dict[str, Any]) -> Iterator[Row]:
    """Prints a table of the quantities; yields two rows of each, since the minute `warm`.

    The first has its values. The second has its slope per minute as the median, and a standard
    error to either side as min and max.
    """
    since = [sample for sample in samples if sample["minute"] >= warm]
    print(f"\nsoak: {samples[-1]['minute']:.1f} minutes of training, evaluating and saving")
    print(f"{'':>25}{f'minute {warm:.3g}':>12}{'end':>12}{'per minute':>12}  standard error")
    for name, (title, unit) in QUANTITIES.items():
        result, values = slope(since, name), [sample[name] for sample in since]
        what = f"{title}, {unit}" if unit else title
        ends = f"{values[0]:12.6g}{values[-1]:12.6g}"
        print(f"{what:>25}{ends}{result.slope:12.3g}  {result.error:.2g}", flush=True)
        yield spread("soak", {"quantity": title, **parameters}, values, unit)
        around = (result.slope, result.slope - result.error, result.slope + result.error)
        where = {"quantity": f"slope of {title}", **parameters}
        yield Row("soak", where, *around, result.points, f"{unit or 1}/min")


def slope(samples: Sequence[Sample], name: str, blocks: int = BLOCKS) -> Line:
    """The slope of a quantity per minute, through the means of blocks of equally long time."""
    first, last = samples[0]["minute"], samples[-1]["minute"]
    joined: dict[int, list[Sample]] = {}
    for sample in samples:
        block = int(blocks * (sample["minute"] - first) / max(last - first, 1e-9))
        joined.setdefault(min(block, blocks - 1), []).append(sample)
    if len(joined) < 3:
        raise Failure(
            f"A slope takes samples of three blocks; got {len(joined)}. Soak for longer."
        )
    x, y = ([statistics.fmean(s[n] for s in j) for j in joined.values()] for n in ("minute", name))
    return through(x, y)


def through(x: Sequence[float], y: Sequence[float]) -> Line:
    """The line of least squares through points, whose own error is known from their rests only."""
    fitted, middle = statistics.linear_regression(x, y), statistics.fmean(x)
    rests = sum((b - fitted.slope * a - fitted.intercept) ** 2 for a, b in zip(x, y, strict=True))
    width = sum((a - middle) ** 2 for a in x)
    return Line(fitted.slope, (rests / (len(x) - 2) / width) ** 0.5, len(x))
