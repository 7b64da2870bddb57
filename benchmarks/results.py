"""What was measured: rows with their spread, a table of them, and a file."""

import dataclasses
import json
import pathlib
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """One thing measured several times."""

    name: str  # of the benchmark, and of its table
    parameters: dict[str, Any]
    median: float
    min: float
    max: float
    repeats: int
    unit: str
    cpu: float | None = None  # median seconds of CPU time of the process; None if not measured
    peak_mb: float | None = None  # of the process, or of its accelerator; None if not measured


def spread(name: str, parameters: dict[str, Any], values: Sequence[float], unit: str) -> Row:
    """The row of values of a unit."""
    middle = statistics.median(values)
    return Row(name, parameters, middle, min(values), max(values), len(values), unit)


def timed(name: str, parameters: dict[str, Any], runs: Sequence[Mapping[str, float]]) -> Row:
    """The row of runs with their `wall` and `cpu` seconds and their `peak_mb`."""
    row = spread(name, parameters, [run["wall"] for run in runs], "s")
    cpu, peak = statistics.median(run["cpu"] for run in runs), max(r["peak_mb"] for r in runs)
    return dataclasses.replace(row, cpu=cpu, peak_mb=peak)


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


def write(
    path: pathlib.Path, machine: dict[str, Any], rows: Sequence[Row], failures: dict[str, str]
) -> None:
    """Writes what was measured where, and what failed, as JSON."""
    found = [dataclasses.asdict(row) for row in rows]
    content = {"machine": machine, "rows": found, "failures": failures}
    path.write_text(json.dumps(content, indent=2) + "\n")
