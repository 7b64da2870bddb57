"""Two implementations side by side: each in a process of its own, taking turns.

The idle one sleeps, so that memory and cores belong to the one at work. Seconds of CPU time are
printed beside wall time, because they mean something on a busy machine too.
"""

import importlib.util
import math
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import machine
from benchmarks.processes import Failure, Worker
from benchmarks.results import Row, ratio, timed


def checkout(
    paths: Sequence[str],
    repository: str,
    file: str,
    needed: dict[str, str],
    flag: str = "reference",
) -> str:
    """The first of the paths that holds a checkout of the repository, as an absolute path.

    Failure says what to do if there is none, or a package is absent. `file` is one that a checkout
    has, `needed` maps modules to packages.
    """
    result = [path for path in paths if (pathlib.Path(path) / file).is_file()]
    if not result:
        given = f"--{flag}={','.join(paths)} is none" if paths else "none is given"
        raise Failure(
            f"A checkout of the reference code is needed, and {given}: run "
            f"git clone https://github.com/{repository} and say --{flag}=PATH."
        )
    absent = [pip for module, pip in needed.items() if importlib.util.find_spec(module) is None]
    if absent:
        raise Failure(
            f"The reference needs packages that are absent: pip install {' '.join(absent)}"
        )
    return os.path.abspath(result[0])


def alone(rows: Iterator[Row]) -> None:
    """Introduces the machine and measures to the end; a failure ends the program with its line."""
    try:
        machine.introduce(machine.facts())
        for _ in rows:
            pass
    except Failure as failure:
        sys.exit(str(failure))


def compare(
    title: str,
    workers: dict[str, Worker],
    work: str,
    repeats: int,
    gflop: float | None = None,
    warm: bool = True,
) -> dict[str, list[dict]]:
    """Alternates the sides on a piece of work, prints a table, and returns what was measured.

    `warm` says whether the reference warms up too; ours always does, since it compiles.
    """
    for side, worker in workers.items():
        if warm or side == "ours":
            worker.run("warm " + work)
    runs = {side: [] for side in workers}
    for _ in range(repeats):
        for side, worker in workers.items():
            time.sleep(0.5)  # the other sides' threads spin for a while after their last work
            runs[side].append(worker.run(work))
    report(title, runs, gflop)
    return runs


def rows(name: str, parameters: dict[str, Any], runs: dict[str, list[dict]]) -> Iterator[Row]:
    """What `compare` measured, a row per side."""
    for side, result in runs.items():
        yield timed(name, {**parameters, "side": side}, result)


def speed(theirs: list[dict], ours: list[dict]) -> str:
    """How many times faster ours is, with an interval where there are pairs enough for one."""
    if len(theirs) != len(ours):
        middle, low = (statistics.median(r["wall"] for r in runs) for runs in (theirs, ours))
        return f"{middle / low:.2f}x"
    middle, low, high = ratio(*([r["wall"] for r in runs] for runs in (theirs, ours)))
    return f"{middle:.2f}x" + ("" if math.isnan(low) else f" ({low:.2f} to {high:.2f})")


def report(title: str, runs: dict[str, list[dict]], gflop: float | None = None) -> None:
    """One line per side: median and range, CPU time, peak memory, rate, ratio to ours."""
    ours_cpu = statistics.median(r["cpu"] for r in runs["ours"])
    print(f"\n{title} ({len(runs['ours'])} runs)")
    for side, result in runs.items():
        wall = [r["wall"] for r in result]
        median, cpu = statistics.median(wall), statistics.median(r["cpu"] for r in result)
        text = (
            f"  {side:25s} {1e3 * median:9.1f} ms ({1e3 * min(wall):.1f} to {1e3 * max(wall):.1f})"
        )
        text += f", CPU {1e3 * cpu:8.1f} ms, peak {result[-1]['peak_mb']:.0f} MB"
        if gflop:
            rate = gflop / median / statistics.median(r["matmul"] for r in result)
            text += f", {rate:.0%} of its matmul rate"
        if side != "ours":
            text += f"; ours is {speed(result, runs['ours'])} faster (CPU time "
            text += f"{cpu / ours_cpu:.2f}x)"
        print(text, flush=True)
