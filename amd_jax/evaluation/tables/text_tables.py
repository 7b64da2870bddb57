"""Rows of a table on the console, on their side."""

from collections.abc import Sequence

from amd_jax.host.printable import cut, in_one_line

LINES, CELL = 40, 12  # columns of a table, and characters of a cell

Line = tuple[str, list[str]]  # a column and its cells


def aligned(columns: Sequence[Line]) -> list[str]:
    """Lines of a table on its side: a line for each column, up to LINES of them."""
    shown = columns[:LINES] if len(columns) > LINES + 1 else columns
    width = min(30, max(len(name) for name, _ in shown))
    lines = []
    for name, cells in shown:
        texts = [cut(in_one_line(cell), CELL) for cell in cells]
        lines.append("  ".join([cut(name, width).ljust(width), *(t.ljust(CELL) for t in texts)]))
    lines = [line.rstrip() for line in lines]
    more = len(columns) - len(shown)
    return [*lines, *([f"... and {more:,} more columns"] * (more > 0))]
