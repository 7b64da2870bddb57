"""Reads a table in two passes: its schema, then its tokens. Needs pyarrow."""

from collections.abc import Iterator, Sequence, Set
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Integer

from amd_jax.data.reading import column_choices, column_kinds, date_tallies, files, tallies
from amd_jax.data.reading.column_choices import DROP, Choice
from amd_jax.data.reading.number_tallies import ANY_NUMBER
from amd_jax.data.reading.table_blocks import Block, Cells, Source
from amd_jax.data.reading.tallies import Tally
from amd_jax.facts import dates
from amd_jax.facts.column import Column
from amd_jax.facts.formulas import unescaped
from amd_jax.facts.numerals import COMMA
from amd_jax.facts.table import TableFacts
from amd_jax.host import memory


def schema(
    sources: Sequence[Source], columns: str, max_classes: int, missing: str
) -> tuple[list[Column], list[int]]:
    """The columns of one table or of several with the same columns, and the rows of each.

    The first table says what the kinds are; the others may have further values of these kinds.
    """
    first = sources[0]
    others = [as_known(source, {*first.names}) for source in sources[1:]]
    for other in others:
        _check_same(first, other)
    choices = column_choices.parse(columns, first.names)
    names = [name for name in first.names if choices.get(name, Choice("")).kind != DROP]
    if not names:
        raise ValueError(f"A table has a column; all of {first.name} are left out. Keep one.")
    marks = tuple(dict.fromkeys(["", *missing.split("|")])) if missing else ()
    counted = [_tally(name, choices.get(name), marks) for name in names]
    numbers = [tallies.tallied(first.blocks(names), counted)]

    def columns_of(kinds: Sequence[Column]) -> list[Column]:
        about = first.orders, first.dtypes, marks, kinds
        return column_kinds.columns(counted, choices, max_classes, *about)

    found = columns_of(()) if all(numbers) else []
    for other in others if found else ():
        _check_kinds(other, found, marks)
        for tally, column in zip(counted, found, strict=True):
            tally.every = column.kind in ("categorical", "ordinal")
        numbers.append(tallies.tallied(other.blocks(names), counted))
    if not all(numbers):
        empty = sources[numbers.index(0)].name
        raise ValueError(f"A table has rows after its header; {empty} has none. Use another file.")
    found = columns_of(found) if others else found
    _check_header(found, first)
    return found, numbers


def _tally(name: str, choice: Choice | None, marks: Sequence[str]) -> Tally:
    every = choice is not None and choice.kind in ("categorical", "ordinal")
    return Tally(name, every, choice.form if choice else "", marks)


def _check_same(first: Source, other: Source) -> None:
    """Raise ValueError unless two tables have the same columns, in any order."""
    for one, two in ((first, other), (other, first)):
        for name in one.names:
            if name not in two.names:
                raise ValueError(
                    f"Both tables have the same columns; {two.name} has no "
                    f"{files.printable(name, 60)!r}, which {one.name} has. Give a test table "
                    "with these columns."
                )


def _check_kinds(source: Source, columns: Sequence[Column], marks: Sequence[str]) -> None:
    """Raise ValueError for a cell of a test table that is not of the kind of its column."""
    strict = [column for column in columns if column.is_number or column.kind == "date"]
    start = 0
    for block in source.blocks([column.name for column in strict]) if strict else ():
        for column in strict:
            texts, places = block[column.name].texts.to_pylist(), block[column.name].places
            fits = column.of_kind(texts) | np.isin(texts, marks)
            first = np.flatnonzero(~fits[places])
            if len(first):
                shown = files.printable(texts[int(places[first[0]])], 60)
                raise ValueError(
                    "Training rows say of what kinds columns are; row "
                    f"{start + first[0] + 1} of {source.name} has {shown!r} in {column.shown}, "
                    f"whose kind is {column.kind}. Correct it, or say what the column is: "
                    f'columns="{files.printable(column.name, 60)}:categorical".'
                )
        start += len(block[strict[0].name].places)


def _check_header(columns: Sequence[Column], source: Source) -> None:
    """Raise ValueError if the names of most columns are values of theirs: there is no header."""
    alike = [column.name for column in columns if _is_value(column)]
    if 2 * len(alike) > len(source.names):
        shown = ", ".join(files.printable(name, 20) for name in source.names[:5])
        raise ValueError(
            f"A CSV begins with the names of its columns; {source.name} begins with {shown}, "
            "which are values. Give names: header=a,b,c."
        )


def _is_value(column: Column) -> bool:
    """Whether a name is a value of its column."""
    if column.name.startswith("column ") and column.name[7:].isdecimal():
        return False
    return bool(column.num_values > 1 and 0 <= column.lookup([column.name])[0] < column.num_values)


def tokens(source: Source, columns: Sequence[Column], rows: int) -> Integer[np.ndarray, "N L"]:
    """All rows as tokens, of as few bytes as the largest field needs."""
    width = sum(len(column.bases) for column in columns)
    largest = max((max(column.bases, default=2) for column in columns), default=2)
    kind = np.uint8 if largest <= 256 else np.uint16
    memory.check(
        2 * rows * width * np.dtype(kind).itemsize,
        f"The {rows:,} rows of {source.name}",
        "Use fewer rows or columns.",
    )
    x = np.empty((rows, width), kind)
    start = 0
    for block in source.blocks([column.name for column in columns]):
        number = len(next(iter(block.values())).places)
        if start + number > rows:
            raise ValueError(f"A table stays as it is while it is read; {source.name} has grown.")
        place = 0
        for column in columns:
            piece = _digits(column, block[column.name], start)
            x[start : start + number, place : place + len(column.bases)] = piece
            place += len(column.bases)
        start += number
    if start < rows:
        raise ValueError(f"A table stays as it is while it is read; {source.name} has shrunk.")
    return x


def given(source: Source, facts: TableFacts, gaps: bool) -> Integer[np.ndarray, "N L"]:
    """Rows of another table as tokens of a known one, int32 (N, L).

    Columns that are not known do not count. With `gaps` the tokens of missing cells and of missing
    columns are -1.
    """
    known = {column.name for column in facts.columns}
    source = as_known(source, known)
    absent = [column for column in facts.columns if column.name not in source.names]
    others = [name for name in source.names if name not in known]
    if absent and (not gaps or others or len(absent) == len(facts.columns)):
        what = f"; it has {files.printable(', '.join(others), 80)}" if others else ""
        raise ValueError(
            f"Rows have the columns of {facts.name}; {source.name} has no "
            f"{files.printable(absent[0].name, 60)!r}{what}. Give it these names."
        )
    pieces: list[np.ndarray] = []
    start = 0
    for block in source.blocks([name for name in source.names if name in known]):
        number = len(next(iter(block.values())).places)
        x = np.full((number, len(facts.sizes)), -1, np.int32)
        for column, place in zip(facts.columns, facts.places, strict=True):
            if column.name in block:
                x[:, place] = _digits(column, block[column.name], start, gaps)
        memory.check(x.nbytes, f"The rows of {source.name}", "Give them in parts.")
        pieces.append(x)
        start += number
    if not start:
        raise ValueError(f"A table has rows after its header; {source.name} has none.")
    return np.concatenate(pieces)


def as_known(source: Source, known: Set[str]) -> Source:
    """The table with the escapes of `write_csv` off its names, where more are known then."""
    plain = {unescaped(name): name for name in source.names}
    if len(plain.keys() & known) <= len({*source.names} & known):
        return source

    def blocks(wanted: Sequence[str]) -> Iterator[Block]:
        for block in source.blocks([plain[name] for name in wanted]):
            yield {name: block[plain[name]] for name in wanted}

    return source._replace(names=tuple(plain), blocks=blocks)


def _digits(
    column: Column, cells: Cells, start: int, gaps: bool = False
) -> Integer[np.ndarray, "rows fields"]:
    """Tokens of some cells, the first of which is in row `start`; of gaps -1.

    Raises:
        ValueError: for an unknown value, naming its row.
    """
    codes = _codes(column, cells)
    unknown = codes < 0
    if gaps or unknown.any():
        absent = column.absent(cells.texts.to_pylist(), codes)
        unknown &= ~absent | (not gaps)
        codes = np.where(absent & gaps, -1, codes)
    first = np.flatnonzero(unknown[cells.places])
    if len(first):
        text = cells.texts[int(cells.places[first[0]])].as_py()
        raise column.unknown(text, f"row {start + first[0] + 1} has")
    digits = np.where(codes[:, None] < 0, -1, column.digits(codes))
    return digits.astype(np.int32)[cells.places]


def _codes(column: Column, cells: Cells) -> Integer[np.ndarray, "K"]:
    """The code of each text of some cells; those on a grid without a loop over them."""
    if column.values or not (column.is_number or column.kind == "date"):
        return column.lookup(cells.texts.to_pylist())
    absent = pc.is_in(cells.texts, pa.array([*column.all_marks], pa.string()))
    codes = (
        _dates(column, cells.texts, absent)
        if column.kind == "date"
        else _numbers(column, cells.texts)
    )
    known = column.missing is not None
    return np.where(absent.to_numpy(zero_copy_only=False) & known, column.num_values, codes)


def _dates(column: Column, texts: Any, absent: Any) -> Integer[np.ndarray, "K"]:
    """Codes of dates on a grid, -1 of other texts."""
    filled = pc.if_else(absent, pa.scalar(column.text(0)), texts)
    points, fits = date_tallies.moments(filled, column.form)
    if not fits.all():
        points, fits = dates.read(filled.to_pylist(), column.form)
    codes = column.encode_points(points.astype(np.float64))
    return np.where(fits & ~absent.to_numpy(zero_copy_only=False), codes, -1)


def _numbers(column: Column, texts: Any) -> Integer[np.ndarray, "K"]:
    """Codes of numbers on a grid, -1 of other texts."""
    if column.form.endswith(COMMA):
        texts = pc.replace_substring(pc.replace_substring(texts, ".", " "), COMMA, ".")
    fits = pc.match_substring_regex(texts, ANY_NUMBER)
    numbers = pc.cast(pc.if_else(fits, texts, pa.scalar("nan")), pa.float64())
    return column.encode_numbers(numbers.to_numpy(zero_copy_only=False))
