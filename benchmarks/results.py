"""What was measured: rows with their spread, a table of them, and a file."""

import dataclasses
import json
import math
import pathlib
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """One thing measured several times."""

    name: str  # of the benchmark, and of its table
    parameters: dict[str, Any]
    median: float | None  # None, and the next two, of what could not run
    min: float | None
    max: float | None
    repeats: int
    unit: str
    values: tuple[float, ...] = ()  # in the order of measuring
    cpu: float | None = None  # median seconds of CPU time of the process; None if not measured
    peak_mb: float | None = None  # of the process, or of its accelerator; None if not measured


@dataclasses.dataclass(frozen=True)
class Sitting:
    """What was measured in one go: where and at which commit, and what failed and why."""

    machine: Mapping[str, Any]
    rows: Sequence[Row]
    failures: Mapping[str, str]


def spread(name: str, parameters: dict[str, Any], values: Sequence[float], unit: str) -> Row:
    """The row of values of a unit."""
    middle = statistics.median(values)
    ends = min(values), max(values)
    return Row(name, parameters, middle, *ends, len(values), unit, tuple(values))


def timed(name: str, parameters: dict[str, Any], runs: Sequence[Mapping[str, float]]) -> Row:
    """The row of runs with their `wall` and `cpu` seconds and their `peak_mb`."""
    row = spread(name, parameters, [run["wall"] for run in runs], "s")
    cpu, peak = statistics.median(run["cpu"] for run in runs), max(r["peak_mb"] for r in runs)
    return dataclasses.replace(row, cpu=cpu, peak_mb=peak)


def ratio(over: Sequence[float], under: Sequence[float]) -> tuple[float, float, float]:
    """The median of paired ratios and an interval that has its true value with 95 %.

    Of values measured in turns. The interval is between two of the ratios in order, which half of
    all ratios being below their median tells; with fewer than six pairs there is none (NaN).
    """
    result = sorted(a / b for a, b in zip(over, under, strict=True))
    n, rank = len(result), 0
    missed = 2 / 2**n  # by the interval from the least to the largest
    while missed <= 0.05 and 2 * rank < n:
        rank += 1
        missed += 2 * math.comb(n, rank) / 2**n
    ends = (result[rank - 1], result[n - rank]) if rank else (math.nan, math.nan)
    return statistics.median(result), *ends


def tabulate(title: str, parameter: str, rows: Iterable[Row]) -> Iterator[Row]:
    """Prints rows of `timed` as they come, with ratios to the one before; yields them.

    `parameter` is the one in which they differ.
    """
    columns = "        ms       min       max   ratio    CPU ms   ratio   peak MB   ratio"
    print(f"\n{title}\n{parameter:>13}{columns}", flush=True)
    before = None
    for row in rows:
        values = [row.median, row.cpu, row.peak_mb]
        ratios = [
            "" if before is None else f"{a / b:.2f}"
            for a, b in zip(values, before or values, strict=True)
        ]
        ms, low, high, cpu = (f"{1e3 * x:10.1f}" for x in (row.median, row.min, row.max, row.cpu))
        text = f"{row.parameters[parameter]!s:>13}{ms}{low}{high}{ratios[0]:>8}{cpu}{ratios[1]:>8}"
        print(f"{text}{row.peak_mb:10.0f}{ratios[2]:>8}".rstrip(), flush=True)
        before = values
        yield row


def write(path: pathlib.Path, sittings: Sequence[Sitting]) -> None:
    """Writes sittings as JSON."""
    content = list(map(dataclasses.asdict, sittings))
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read(path: pathlib.Path) -> list[Sitting]:
    """What `write` wrote; ValueError if the file is none of ours."""
    try:
        result = [
            Sitting(old["machine"], tuple(Row(**row) for row in old["rows"]), old["failures"])
            for old in json.loads(path.read_text())
        ]
    except (KeyError, TypeError, ValueError):
        result = []
    if not result:
        raise ValueError(f"{path} holds no rows of benchmarks. Move it away.")
    return result


def beside(earlier: Iterable[Sitting], new: Sitting) -> list[Sitting]:
    """The sittings with a new one, which takes the place of what they have of its benchmarks."""
    names = {row.name for row in new.rows} | new.failures.keys()
    result = []
    for old in earlier:
        rows = tuple(row for row in old.rows if row.name not in names)
        failures = {name: why for name, why in old.failures.items() if name not in names}
        if rows or failures:
            result.append(Sitting(old.machine, rows, failures))
    return [*result, new]
