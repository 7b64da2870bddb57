"""Documents of a corpus, one after the other: text files, JSON lines, Parquet."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from amd_jax.data.reading import arrow, files

RULE = "Documents are .txt, .jsonl or .parquet"
SUFFIXES = (".txt", ".jsonl", ".parquet")
PIECE = 1 << 20  # bytes of a text that are read at a time, up to the end of a line
ROWS = 1024  # of Parquet, at a time
HALF = re.compile("[\ud800-\udfff]")  # of a pair of UTF-16, alone
SHOWN = 6  # names of fields in a message


class Piece(NamedTuple):
    """A document, or a part of one."""

    text: str
    ends: bool  # whether the document ends here
    done: float  # the share of the file that is read by now


def read(file: Path, field: str) -> Iterator[Piece]:
    """The documents of a file, in pieces: a .txt is one, of others they are in `field`.

    A long .txt comes in pieces that end with a line.

    Raises:
        ValueError: in one line, for another kind of file, and for what is no text.
    """
    files.check_file(file, RULE)
    if file.suffix == ".txt":
        return _text(file)
    if file.suffix == ".jsonl":
        return _json_lines(file, field)
    if file.suffix == ".parquet":
        return _parquet(file, field)
    raise ValueError(f"{RULE}; got {file}. Rename it if it is one of them.")


def _text(file: Path) -> Iterator[Piece]:
    """A file of text."""
    size = max(1, file.stat().st_size)
    with file.open("rb") as handle:
        piece = handle.read(PIECE) + handle.readline()
        while True:
            following = handle.read(PIECE) + handle.readline()
            yield Piece(_decoded(piece, file), not following, (handle.tell()) / size)
            if not following:
                return
            piece = following


def _json_lines(file: Path, field: str) -> Iterator[Piece]:
    """A file with a JSON object on each line; empty lines are none."""
    size, done = max(1, file.stat().st_size), 0
    with file.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            done += len(line)
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(
                    f"Each line of a .jsonl is a JSON object; line {number:,} of {file} is none "
                    f"({files.reason(error)}). Correct it, or leave it out."
                ) from error
            text = found.get(field) if isinstance(found, dict) else None
            if not isinstance(text, str):
                known = ", ".join(map(repr, [*found][:SHOWN])) if isinstance(found, dict) else ""
                raise ValueError(
                    f"Each line of a .jsonl has its text in --field={field}; line {number:,} of "
                    f"{file} has none{f', but {known}' if known else ''}. Give another --field."
                )
            if HALF.search(text):
                raise ValueError(
                    f"A text is Unicode; line {number:,} of {file} holds half a character, "
                    "\\ud800 to \\udfff alone. Correct it, or leave it out."
                )
            yield Piece(text, True, done / size)


def _parquet(file: Path, field: str) -> Iterator[Piece]:
    """A column of a Parquet file; cells that are missing are no documents."""
    arrow.check()
    way_out = "Copy it anew, or leave it out."
    with files.decoding(RULE, str(file), way_out):
        table = importlib.import_module("pyarrow.parquet").ParquetFile(file)
    with table:
        if field not in table.schema_arrow.names:
            known = ", ".join(map(repr, table.schema_arrow.names[:SHOWN]))
            raise ValueError(
                f"A .parquet has its text in --field={field}; {file} has {known}. Give another "
                "--field."
            )
        done, rows = 0, max(1, table.metadata.num_rows)
        batches = table.iter_batches(ROWS, columns=[field])
        for batch in arrow.reader("table_files").checked(batches, file, RULE, way_out):
            for text in batch.column(0).to_pylist():
                done += 1
                if text is None:
                    continue
                if not isinstance(text, str):
                    raise ValueError(
                        f"A .parquet has its text in --field={field}; in {file} it is "
                        f"{batch.schema.field(0).type}. Give another --field."
                    )
                yield Piece(text, True, done / rows)


def _decoded(piece: bytes, file: Path) -> str:
    """The text of bytes of utf-8; without the mark that some editors write first."""
    with files.decoding("A .txt is utf-8", str(file), "Save it as utf-8."):
        return piece.decode("utf-8").removeprefix("\ufeff")
