"""What rematerialisation saves in memory and costs in time, in a training step.

Each side has processes of its own, in turn, which give freed memory back. On a CPU, what their
compilers leave behind is part of the peak, and XLA may recompute early, which saves nothing.
"""

from collections.abc import Iterator, Mapping

from benchmarks import sized
from benchmarks.results import Row, tabulate, timed

STEP = {"batch": 32, "length": 256, "classes": 27, "steps": 1000, "devices": 1}


def measure(
    network: Mapping[str, int], step: Mapping[str, int] = STEP, turns: int = 2, repeats: int = 3
) -> Iterator[Row]:
    """A row without rematerialisation, and one with it."""
    sides = [{**network, **step, "remat": remat} for remat in (False, True)]
    runs = [[], []]
    for _ in range(turns):
        for side, found in zip(sides, runs, strict=True):
            found += sized.measure("train", side, repeats, keep=False)
    rows = [
        timed("memory", {"work": "train", **side}, found)
        for side, found in zip(sides, runs, strict=True)
    ]
    fixed = ", ".join(f"{name} {value}" for name, value in {**network, **step}.items())
    yield from tabulate(f"memory, train: {fixed}", "remat", rows)
