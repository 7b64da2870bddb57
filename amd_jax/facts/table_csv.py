"""Writes rows of a table as CSV, as the table it was learnt from writes them."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from amd_jax.facts.column import Column
from amd_jax.facts.formulas import escaped
from amd_jax.facts.table import TableFacts
from amd_jax.host import filesystem

BLOCK = 1 << 14  # rows that are texts at a time


def write_csv(
    path: str | Path,
    facts: TableFacts,
    x: Integer[np.ndarray, "N L"],
    escape_formulas: bool = True,
) -> int:
    """Writes tokens (N, L) as a CSV: the columns in their order, every value in its own format.

    A text that a spreadsheet would execute (=cmd, +x, -x, @x) gets an apostrophe before it, unless
    that is turned off; numbers stay. `TableFacts.encode` takes it with or without, except
    in a column whose values are both =x and '=x. The file appears once it is whole.

    Args:
        path: the file, which is replaced.
        facts: of the table.
        x: rows of tokens.
        escape_formulas: whether such texts are escaped.

    Returns:
        How many cells were escaped.

    Raises:
        ValueError: for a code that a column does not have.
    """
    changed = 0
    with filesystem.draft(Path(path)) as file:
        for text, number in _blocks(facts, np.asarray(x), escape_formulas):
            file.write(text.encode())
            changed += number
    return changed


def _blocks(
    facts: TableFacts, x: Integer[np.ndarray, "N L"], escape: bool
) -> Iterator[tuple[str, int]]:
    """The text of the header and of some rows at a time, and how many cells in it are escaped."""
    names = [column.name for column in facts.columns]
    shown = [escaped(name) for name in names] if escape else names
    yield _text([shown]), sum(one != two for one, two in zip(names, shown, strict=True))
    for start in range(0, len(x), BLOCK):
        cells = facts.decode(x[start : start + BLOCK])
        changed = 0
        for column in facts.columns if escape else ():
            harmless, number = _harmless(column, cells[column.name])
            cells[column.name] = harmless
            changed += number
        yield _text(zip(*cells.values(), strict=True)), changed


def _harmless(column: Column, cells: list[str]) -> tuple[list[str], int]:
    """Cells without formulas, and how many were escaped; only texts can be such."""
    if column.kind not in ("categorical", "ordinal"):
        return cells, 0
    changes = {text: escaped(text) for text in set(cells)}
    changed = {text for text, new in changes.items() if text != new}
    return [changes[text] for text in cells], sum(text in changed for text in cells)


def _text(rows) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
