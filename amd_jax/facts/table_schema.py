"""The schema of a table as it is printed: a line for each column."""

from collections.abc import Sequence

from amd_jax.facts.column import Column
from amd_jax.host.printable import in_one_line

MOST_LINES = 60


def lines(columns: Sequence[Column]) -> list[str]:
    """Kind, number of classes and of fields, missing cells and reason of each column, aligned."""
    cells = [("column", "kind", "classes", "fields", "missing", "why")]
    for column in columns:
        fields = " x ".join(map(str, column.bases)) if len(column.bases) > 1 else ""
        name, why = in_one_line(column.name), in_one_line(column.reason)
        missing = "" if column.missing is None else f"{column.missing_share:.1%}"
        cells.append((name[:30], column.kind, f"{column.size:,}", fields, missing, why[:100]))
    if len(cells) > MOST_LINES:
        rest = len(cells) - MOST_LINES + 1
        cells = [*cells[: MOST_LINES - 1], (f"... {rest} more", "", "", "", "", "")]
    widths = [max(len(line[n]) for line in cells) for n in range(5)]
    return [_aligned(line, widths) for line in cells]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    """A line of a printed table: numbers of classes to the right, all else to the left."""
    *cells, last = line
    padded = [
        cell.rjust(width) if n in (2, 4) else cell.ljust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
        if width
    ]
    return "  ".join([*padded, last]).rstrip()
