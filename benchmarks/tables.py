"""What was measured side by side, and what TPUs need, as the tables of the documentation.

    python -m benchmarks.tables [FILE ...]

Markdown from JSON; without files, those of benchmarks/results. "1.21 (1.15 to 1.26)" says how
many times faster ours is: the median of runs in turns, and an interval of 95 %. Of TPUs "31; 27"
is float32 and bfloat16, "full at" the batch that fills the memory, and "sampling" the
milliseconds that one step of sampling takes at least.
"""

import argparse
import math
import pathlib
import sys
from collections.abc import Iterable, Iterator

import amd_jax
from benchmarks.results import Row, Sitting, ratio, read
from benchmarks.run import KEPT
from benchmarks.tpu import TYPES

NAMED = ("peer", "size", "flow", "dim", "work")  # parameters that tell the work
HEAD = ["work", "ours", "reference, as shipped", "reference, our allocator"]
CHIPS = [
    "experiment, batch",
    "chips",
    "GB",
    "TFLOP",
    "GB sent",
    "at least, ms",
    "full at",
    "sampling",
]


def main(arguments: list[str] | None = None) -> None:
    """Prints the tables of each sitting of each file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    version = f"amd_jax {amd_jax.__version__}"
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument(
        "files", nargs="*", metavar="FILE", type=pathlib.Path, help="all kept ones"
    )
    given = parser.parse_args(arguments).files
    for path in given or sorted(KEPT.glob("*.json")):
        try:
            sittings = read(path)
        except (OSError, ValueError) as error:
            sys.exit(str(error))
        for sitting in sittings:
            for line in (*table(sitting), *chips(sitting)):
                print(line)


def table(sitting: Sitting) -> Iterator[str]:
    """Where sides were measured in turns, and a row for each piece of work."""
    works: dict[tuple, dict[str, Row]] = {}
    for row in sitting.rows:
        if "side" in row.parameters:
            told = [str(row.parameters[n]) for n in NAMED if n in row.parameters]
            works.setdefault((row.name, *told), {})[row.parameters["side"]] = row
    if not works:
        return
    yield from head(sitting, HEAD)
    for (name, *told), sides in works.items():
        cells = [side(sides.get(title), sides["ours"]) for title in HEAD[1:]]
        yield f"| {name.replace('_', ' ')}: {', '.join(told)} | {' | '.join(cells)} |"
    yield ""


def side(row: Row | None, ours: Row) -> str:
    """Time and peak memory; of others, how many times faster ours is."""
    if row is None:
        return "not run"
    cell = f"{1e3 * row.median:,.0f} ms, {row.peak_mb / 1e3:.2f} GB"
    if row is ours:
        return cell
    middle, low, high = ratio(row.values, ours.values)
    between = "" if math.isnan(low) else f" ({low:.2f} to {high:.2f})"
    return f"{cell}; {middle:.2f}{between}"


def chips(sitting: Sitting) -> Iterator[str]:
    """What experiments need of TPUs: a row for each and kind and number of chips."""
    works: dict[tuple, dict[tuple, Row]] = {}
    for row in sitting.rows:
        if row.name == "tpu":
            where = row.parameters
            place = where["experiment"], where["chips"], where["chip"]
            works.setdefault(place, {})[where["dtype"], where["work"]] = row
    if not works:
        return
    yield from head(sitting, CHIPS)
    for (name, number, kind), result in works.items():
        training = [result[dtype, "train"] for dtype in TYPES if (dtype, "train") in result]
        sampling = [result[dtype, "sample"] for dtype in TYPES if (dtype, "sample") in result]
        compiled = [row for row in training if row.median is not None]
        cells = [
            f"`{name}`, {training[0].parameters['batch'] * number}",
            f"{number} {kind}",
            each(
                f"{row.peak_mb / 1e3:.2f}" + ("" if row.parameters["fits"] else ", too large")
                for row in training
            ),
            each(f"{row.parameters['flops'] / 1e12:.2f}" for row in compiled),
            each(f"{row.parameters['sent'] / 1e9:.2f}" for row in compiled if number > 1),
            each(f"{1e3 * row.median:.0f}" for row in compiled),
            each(f"{row.parameters['filling_batch'] * number:,}" for row in compiled),
            each(f"{1e3 * row.median:.1f}" for row in sampling),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def head(sitting: Sitting, columns: list[str]) -> Iterator[str]:
    """Where it was measured, and the head of a table."""
    here = sitting.machine
    versions = ", ".join(f"{name} {version}" for name, version in here["versions"].items())
    yield f"{here['cpu']}, {here['cores']} cores; {versions}; commit {here['commit']}"
    yield ""
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)


def each(values: Iterable[str]) -> str:
    """What is said of each dtype, once if it is the same of all."""
    return "; ".join(dict.fromkeys(values)) or "–"


if __name__ == "__main__":
    main()
