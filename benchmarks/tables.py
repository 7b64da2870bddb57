"""What was measured side by side, as the tables of the documentation: Markdown from JSON.

    python -m benchmarks.tables [FILE ...]

Without files, those of benchmarks/results. "1.21 (1.15 to 1.26)" says how many times faster ours
is: the median of runs in turns, and an interval of 95 %.
"""

import math
import pathlib
import sys
from collections.abc import Iterator

from benchmarks.results import Row, Sitting, ratio, read
from benchmarks.run import KEPT

NAMED = ("peer", "size", "flow", "dim", "work")  # parameters that tell the work
HEAD = ["work", "ours", "reference, as shipped", "reference, our allocator"]


def main(arguments: list[str] | None = None) -> None:
    """Prints a table for each sitting, of each file, that has something side by side."""
    given = sys.argv[1:] if arguments is None else arguments
    for path in map(pathlib.Path, given or sorted(KEPT.glob("*.json"))):
        try:
            sittings = read(path)
        except (OSError, ValueError) as error:
            sys.exit(str(error))
        for sitting in sittings:
            for line in table(sitting):
                print(line)


def table(sitting: Sitting) -> Iterator[str]:
    """Where it was measured, and a row for each piece of work."""
    works: dict[tuple, dict[str, Row]] = {}
    for row in sitting.rows:
        if "side" in row.parameters:
            told = [str(row.parameters[n]) for n in NAMED if n in row.parameters]
            works.setdefault((row.name, *told), {})[row.parameters["side"]] = row
    if not works:
        return
    here = sitting.machine
    versions = ", ".join(f"{name} {version}" for name, version in here["versions"].items())
    yield f"{here['cpu']}, {here['cores']} cores; {versions}; commit {here['commit']}"
    yield ""
    yield "| " + " | ".join(HEAD) + " |"
    yield "|" + "---|" * len(HEAD)
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


if __name__ == "__main__":
    main()
