"""Opens tables: CSV (also packed), Parquet, Arrow, and data frames. Needs pyarrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from amd_jax.data.reading import csv_files, files
from amd_jax.data.reading.csv_files import RULE
from amd_jax.data.reading.table_blocks import Block, Source, check_names, of_batches
from amd_jax.facts.column import DTYPES
from amd_jax.host import memory

ROWS = 1 << 17  # of a block
STREAM = b"\xff\xff\xff\xff"  # how a stream of Arrow begins
WAY_OUT = "Save it anew, or as a CSV."
OTHERS = {  # what a file begins with -> what it is
    b"PK\x03\x04": "a zip archive, as .xlsx is",
    b"\xd0\xcf\x11\xe0": "an old .xls",
    b"SQLite": "a data base of SQLite",
    b"%PDF": "a PDF",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a picture",
}


def opened(path: str | Path, delimiter: str = "", header: str = "", encoding: str = "") -> Source:
    """The table in a file, by what it begins with.

    Raises:
        ValueError: if it is no file, or of another kind, or its header is at fault.
    """
    file = files.expanded(path)
    files.check_file(file, "A table must be a file")
    with file.open("rb") as handle:
        start = handle.read(8)
    for mark, kind in OTHERS.items():
        if start.startswith(mark):
            raise ValueError(f"{RULE}; {file} is {kind}. Save the table as a CSV.")
    for mark, batches in (b"PAR1", _parquet), (b"ARROW1", _arrow), (STREAM, _arrow):
        if start.startswith(mark):
            if delimiter or header or encoding:
                raise ValueError(
                    f"A CSV has delimiter=, header= and encoding=; {file} has its own. Leave them "
                    "out."
                )
            return _columnar(file, batches)
    return csv_files.source(file, delimiter, header, encoding or "utf-8")


def _columnar(file: Path, batches: Any) -> Source:
    """A file that has its schema."""
    with files.decoding(RULE, str(file), WAY_OUT):
        schema = next(batches(file, None))
    check_names(schema.names, str(file))

    def blocks(wanted: Sequence[str]) -> Iterator[Block]:
        stream = batches(file, list(wanted))
        next(stream)
        yield from of_batches(checked(stream, file, RULE, WAY_OUT), wanted, file.name)

    return Source(file.name, tuple(schema.names), blocks)


def checked(stream: Iterator[Any], file: Path, rule: str, way_out: str) -> Iterator[Any]:
    """The record batches of a stream from a file, whose faults are one line.

    Arrow believes what it reads: an offset beyond its buffer is a segmentation fault at its use.
    """
    while True:
        with files.decoding(rule, str(file), way_out):
            batch = next(stream, None)
            if batch is not None:
                batch.validate(full=True)
        if batch is None:
            return
        yield batch


def _parquet(file: Path, names: list[str] | None) -> Iterator[Any]:
    """The schema, then batches of some columns."""
    with pyarrow.parquet.ParquetFile(file) as table:
        yield table.schema_arrow
        groups = (table.metadata.row_group(n) for n in range(table.num_row_groups))
        largest = max((group.total_byte_size for group in groups), default=0)
        memory.check(largest, f"A row group of {file}", "Save it with smaller row groups.")
        yield from table.iter_batches(ROWS, columns=names)


def _arrow(file: Path, names: list[str] | None) -> Iterator[Any]:
    """The same of a file of Arrow, or of a stream."""
    with pa.OSFile(str(file)) as handle:  # mapped, one that becomes shorter is a bus error
        streaming = handle.read(4) == STREAM
        handle.seek(0)
        table = pa.ipc.open_stream(handle) if streaming else pa.ipc.open_file(handle)
        yield table.schema
        several = table if streaming else _batches_of_file(table, file)
        for batch in several:
            chosen = batch.select(names)
            yield from (chosen.slice(n, ROWS) for n in range(0, len(chosen), ROWS))


def _batches_of_file(table: Any, file: Path) -> Iterator[Any]:
    """The batches of a file of Arrow, each of which is read whole."""
    number = table.num_record_batches
    size = file.stat().st_size // max(1, number)
    memory.check(size, f"A record batch of {file}", "Save it in smaller batches.")
    return map(table.get_batch, range(number))


def of_frame(frame: Any, name: str = "frame") -> Source:
    """The table in a data frame of pandas, without its index."""
    names = [str(column) for column in frame.columns]
    check_names(names, name)
    dtypes = {
        str(column): str(kind)
        for column, kind in frame.dtypes.items()
        if DTYPES.fullmatch(str(kind))  # others come back by kind
    }
    orders = {
        str(column): tuple(map(str, kind.categories))
        for column, kind in frame.dtypes.items()
        if getattr(kind, "ordered", False) and hasattr(kind, "categories")
    }

    days = {column for column in names if _is_days(frame.iloc[:, names.index(column)])}

    def blocks(wanted: Sequence[str]) -> Iterator[Block]:
        part = frame.set_axis(names, axis=1)[list(wanted)]
        for start in range(0, len(part), ROWS):
            piece = part.iloc[start : start + ROWS]
            arrays = [_array(piece[column], column in days) for column in wanted]
            yield from of_batches(iter([pa.RecordBatch.from_arrays(arrays, wanted)]), wanted, name)

    return Source(name, tuple(names), blocks, dtypes, orders)


def _is_days(series: Any) -> bool:
    """Whether a column of a data frame is dates without a time of day, and without a zone."""
    naive = str(series.dtype).startswith("datetime64[") and "," not in str(series.dtype)
    return naive and bool((series.dropna() == series.dropna().dt.normalize()).all())


def _array(series: Any, days: bool = False) -> Any:
    """A column of a data frame as Arrow's; cells of several types become texts."""
    if days:
        return pa.Array.from_pandas(series).cast(pa.date32())
    try:
        array = pa.Array.from_pandas(series)
    except (pa.ArrowException, TypeError):
        missing = series.isna()
        array = pa.array([None if no else str(v) for v, no in zip(series, missing, strict=True)])
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
