"""How time and memory of the text diffusion grow, every number in a process of its own.

From a start, one number at a time: batch, length, classes and devices of a training step, and the
diffusion steps of a sample. Freed memory is kept, as `experiments.run` does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import sized
from benchmarks.processes import Failure
from benchmarks.results import Row, tabulate, timed

START = {
    **sized.network("tiny"),
    **{"batch": 8, "length": 128, "classes": 27, "steps": 100, "devices": 1},
}
GROWN = {
    "batch": (8, 16, 32),
    "length": (128, 256, 512),
    "classes": (27, 108, 432),
    "steps": (50, 100, 200),
    "devices": (1, 2, 4, 8),
}


def measure(
    machine: Mapping[str, Any],
    start: Mapping[str, int] = START,
    grown: Mapping[str, Sequence[int]] = GROWN,
    repeats: int = 15,
) -> Iterator[Row]:
    """A table per number that grows; a Failure at the end names those that are incomplete."""
    failures = []
    for name, values in grown.items():
        if name == "devices" and machine["backend"] != "cpu":  # where there are no virtual ones
            values = [n for n in values if n <= len(machine["devices"])]
        rows = grow(start, name, values, repeats)
        try:
            yield from tabulate(title(start, name, machine), name, rows)
        except Failure as failure:
            failures.append(f"the table of {name} is incomplete: {failure}")
    if failures:
        raise Failure("; ".join(failures))


def grow(
    start: Mapping[str, int], name: str, values: Sequence[int], repeats: int
) -> Iterator[Row]:
    """A row per value of one number; samples take long and are repeated less."""
    work = work_of(name)
    again = repeats if work == "train" else max(1, repeats // 3)
    for value in values:
        size = {**start, name: value}
        runs = sized.measure(work, size, again, keep=True)
        yield timed(f"growth in {name}", {"work": work, **size}, runs)


def work_of(name: str) -> str:
    """What grows with a number."""
    return "sample" if name == "steps" else "train"


def title(start: Mapping[str, int], name: str, machine: Mapping[str, Any]) -> str:
    """What a table shows, and what stays the same in it."""
    fixed = ", ".join(f"{other} {value}" for other, value in start.items() if other != name)
    text = f"growth in {name}, {work_of(name)}: {fixed}"
    if name == "devices" and machine["backend"] == "cpu":
        text += "\n(virtual ones on the same cores: the ratio is what dividing the work costs)"
    return text
