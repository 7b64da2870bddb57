"""What rematerialisation saves in memory and costs in time, in a training step.

Each side has a process of its own, which gives freed memory back. On a CPU the peak is that of the
process, what JAX and its compiler take included.
"""

from collections.abc import Iterator, Mapping

from benchmarks import sized
from benchmarks.results import Row, tabulate, timed

STEP = {"batch": 32, "length": 256, "classes": 27, "steps": 1000, "devices": 1}


def measure(
    network: Mapping[str, int], step: Mapping[str, int] = STEP, repeats: int = 5
) -> Iterator[Row]:
    """A row without rematerialisation, and one with it."""
    fixed = {**network, **step}
    told = ", ".join(f"{name} {value}" for name, value in fixed.items())
    yield from tabulate(f"memory, train: {told}", "remat", sides(fixed, repeats))


def sides(fixed: Mapping[str, int], repeats: int) -> Iterator[Row]:
    """The rows as they come."""
    for remat in (False, True):
        size = {**fixed, "remat": remat}
        runs = sized.measure("train", size, repeats, keep=False)
        yield timed("memory", {"work": "train", **size}, runs)
