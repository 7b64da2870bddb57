"""Reads lines with their labels, from files of lines and from columns of tables."""

import collections
from collections.abc import Sequence
from typing import Any

from amd_jax.data.reading import arrow, files, line_files
from amd_jax.facts import line_properties
from amd_jax.host.printable import cut, in_one_line

Pairs = Sequence[tuple[str, str]]  # a line and its label, which is empty where there are none


def read(path: str, column: str, label: str) -> Pairs:
    """The lines of a file with their labels. ValueError if none has a character."""
    file = files.expanded(path)
    files.check_file(file, "Lines must be a file")
    if column or label or line_files.suffix(file) in line_files.TABLES:
        pairs = _of_table(path, column, label)
    else:
        pairs = [(line, "") for line in line_files.read(file)]
    if not any(line for line, _ in pairs):
        raise ValueError(f"A line has a character or more; {path} has no such line.")
    return pairs


def label_rule(path: str, column: str, label: str) -> str:
    """The label, if it is the name of a rule and of no column of the file; else empty."""
    file = files.expanded(path)
    files.check_file(file, "Lines must be a file")
    if label not in line_properties.LABELS:
        return ""
    is_table = column or line_files.suffix(file) in line_files.TABLES
    return "" if is_table and label in arrow.reader("table_files").opened(path).names else label


def labelled(pairs: Pairs, rule: str, counts: collections.Counter[str]) -> list[tuple[str, str]]:
    """The lines with their labels by a rule; those without one are left out, and counted."""
    result = [
        (line, label)
        for line, _ in pairs
        if (label := line_properties.label(line, rule) if line else "") is not None
    ]
    counts[f"without {rule}, being no SMILES"] += len(pairs) - len(result)
    return result


def _of_table(path: str, column: str, label: str) -> Pairs:
    """Two columns of a table, or one."""
    source = arrow.reader("table_files").opened(path)
    known = cut(", ".join(map(in_one_line, source.names)), 200)
    if not column and len(source.names) - bool(label) == 1:
        column = next(name for name in source.names if name != label)
    if not column:
        raise ValueError(f"Lines are one column of {path}: give column=. It has {known}.")
    for name in filter(None, (column, label)):
        if name not in source.names:
            raise ValueError(
                f"A column of {path} is one of {known}; got {cut(in_one_line(name), 60)!r}."
            )
    pairs: list[tuple[str, str]] = []
    for block in source.blocks([*dict.fromkeys(filter(None, (column, label)))]):
        cells = {name: _cells(block[name]) for name in block}
        pairs += zip(cells[column], cells.get(label) or [""] * len(cells[column]), strict=True)
    return pairs


def _cells(cells: Any) -> list[str]:
    """The text of each cell."""
    texts = cells.texts.to_pylist()
    return [texts[place] for place in cells.places.tolist()]


def distinct(
    pairs: Pairs, length: int, longer: str, counts: collections.Counter[str]
) -> list[tuple[str, str]]:
    """The distinct lines of 1 to `length` characters; what is left out is added to the counts."""
    full = [pair for pair in pairs if pair[0]]
    counts["empty"] += len(pairs) - len(full)
    most = sum(len(line) > length for line, _ in full)
    if most and longer == "drop":
        counts[f"longer than {length}"] += most
        full = [pair for pair in full if len(pair[0]) <= length]
    elif most and longer == "cut":
        counts[f"ends beyond {length} (cut)"] += most
        full = [(line[:length], label) for line, label in full]
    elif most:
        starts = [range(0, len(line), length) for line, _ in full]
        full = [
            (line[n : n + length], label)
            for (line, label), places in zip(full, starts, strict=True)
            for n in places
        ]
    distinct = list(dict.fromkeys(full))
    counts["duplicates"] += len(full) - len(distinct)
    return distinct
