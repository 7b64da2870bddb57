"""Reads CSV files in blocks: delimiter and header are found, and faults become one line."""

import codecs
import contextlib
import csv
import functools
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from amd_jax.data.reading import files, packed
from amd_jax.data.reading.table_blocks import Block, Source, check_names, of_batches
from amd_jax.host import memory

RULE = "A table is a CSV with a header, or a Parquet or Arrow file"
DELIMITERS = ",;\t|"
BEGINNING = 1 << 20  # bytes in which delimiter and header are found
BLOCK = 1 << 24  # bytes of a block; no row is longer
LAST = 64  # bytes at the end that are looked at
LINES = 50  # that the delimiter is found in
SAID = re.compile(r"sep=(.)\r?\n")
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # that a text of this encoding begins with


def source(file: Path, delimiter: str = "", header: str = "", encoding: str = "utf-8") -> Source:
    """A CSV file, packed or not; `header` names the columns of one without a header.

    Raises:
        ValueError: if it is empty, no text, or its header has an empty or a repeated name.
    """
    start, encoding = _beginning(file, encoding)
    said = SAID.match(start)  # what Excel takes for the delimiter
    rest = start[said.end() :] if said else start
    delimiter = delimiter or (said[1] if said else "") or _delimiter(rest, file)
    _check_delimiter(delimiter, rest, file)
    rows = csv.reader(io.StringIO(rest, newline=""), delimiter=delimiter)
    with files.decoding(RULE, str(file), "Save it as a CSV with quotes around texts."):
        first = next(filter(None, rows), None)
    if first is None:
        raise ValueError(f"{RULE}; {file} is empty. Use another file.")
    rule = "header= is the names of columns, with commas between"
    with files.decoding(rule, repr(header[:40]), "Give names of one line, and shorter ones."):
        given = [name.strip() for name in next(csv.reader([header]))] if header else []
    if given and len(given) != len(first):
        raise ValueError(
            f"header= names every column; it has {len(given)} names, and {file} {len(first)} "
            "columns."
        )
    names = _names(given or first, file)
    skipped = bool(said) + (0 if given else rows.line_num)
    blocks = functools.partial(_blocks, file, names, delimiter, encoding, skipped)
    return Source(file.name, names, blocks)


def _names(cells: Sequence[str], file: Path) -> tuple[str, ...]:
    """Names of the columns; one that has none, as an index of pandas, is called by its number."""
    names = [cell.strip() or f"column {n + 1}" for n, cell in enumerate(cells)]
    twice = "Rename one of them, or give all names: header=a,b,c for a file without a header."
    check_names(names, str(file), twice, f"{RULE}.")
    return tuple(names)


def _check_delimiter(delimiter: str, start: str, file: Path) -> None:
    """Raise ValueError for a delimiter that cannot be, or is not there; one column has none."""
    if len(delimiter) != 1 or delimiter in '"\r\n' or not delimiter.isascii():
        raise ValueError(f"A delimiter is one ASCII character; got {delimiter!r:.40}.")
    line = start.partition("\n")[0].strip("\r")
    if delimiter not in line and delimiter not in DELIMITERS[:1]:
        raise ValueError(
            f"Cells are separated by the delimiter; {file} begins with {line[:80]!r}, without "
            f"{delimiter!r}. Leave delimiter= out, and it is found."
        )


def _delimiter(start: str, file: Path) -> str:
    """The delimiter under which the first lines have the most cells, and all the same number."""
    counts = {sign: _cells_per_line(start, sign) for sign in DELIMITERS}
    best = max(counts, key=lambda sign: counts[sign])
    if counts[best] == (0, 1) or counts[best] == (1, 1):
        words = {len(line.split()) for line in start.splitlines()[:LINES] if line.strip()}
        if len(words) == 1 and min(words) > 2:
            raise ValueError(
                f"Cells are separated by one of {', '.join(map(repr, DELIMITERS))}; {file} has "
                f"none of them, and {min(words)} words in each line. Give delimiter=' '."
            )
        if sign := _other_delimiter(start):
            raise ValueError(
                f"Cells are separated by one of {', '.join(map(repr, DELIMITERS))}; {file} has "
                f"none of them, and {sign!r} equally often in each line. Give delimiter={sign}, "
                "or if it has one column only, delimiter=','."
            )
    return best


def _other_delimiter(start: str) -> str:
    """A sign that is in the header and equally often in each of the first lines; or ""."""
    lines = [line for line in start.splitlines()[:LINES] if line.strip()]
    header = lines[0] if len(lines) > 1 else ""
    signs = [
        sign
        for sign in header
        if not (sign.isalnum() or sign.isspace() or sign in DELIMITERS + "\"'_")
    ]
    equal = (sign for sign in signs if all(x.count(sign) == header.count(sign) for x in lines))
    return next(equal, "")


def _cells_per_line(start: str, delimiter: str) -> tuple[int, int]:
    """Whether all of the first lines have one number of cells, more than one; and that number."""
    try:
        rows = csv.reader(io.StringIO(start, newline=""), delimiter=delimiter)
        counts = [len(row) for row in itertools.islice(filter(None, rows), LINES)]
    except csv.Error:
        return 0, 1
    whole = counts[:-1] if len(counts) > 1 else counts  # the last one may be cut
    common = max(set(whole), key=whole.count, default=1)
    agreed = whole.count(common) >= 0.9 * len(whole) and common > 1
    return (1, common) if agreed else (0, whole[0] if whole else 1)


def _beginning(file: Path, encoding: str) -> tuple[str, str]:
    """The first characters of a file, without a byte order mark, and its encoding.

    A file that begins with the mark of utf-16 is read as such.
    """
    with files.decoding(RULE, str(file), "Save it anew."), packed.opened(file) as handle:
        start = handle.read(BEGINNING)
    if not start:
        raise ValueError(f"{RULE}; {file} is empty. Use another file.")
    found = MARKS.get(start[:2])
    encoding = found if found and encoding == "utf-8" else encoding
    if b"\0" in start and not found and encoding == "utf-8":
        raise ValueError(f"{RULE}; {file} holds zero bytes, as no text does. Save it as a CSV.")
    try:
        text = start.decode(encoding, errors="ignore" if len(start) == BEGINNING else "strict")
    except (UnicodeDecodeError, LookupError) as error:
        raise _not_text(file, encoding) from error
    text = text.removeprefix("\ufeff")
    if len(start) == BEGINNING and not re.search("[\r\n]", SAID.sub("", text, count=1)):
        raise ValueError(
            f"A header has at most {BEGINNING:,} bytes; {file} has a longer one. Shorten its "
            "names, or leave columns out."
        )
    return text, encoding


def _not_text(file: Path, encoding: str) -> ValueError:
    return ValueError(
        f"A CSV is {encoding}; {file} is not. Save it as utf-8, or, to learn from it, say what "
        "it is, such as encoding=latin-1."
    )


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[pa.NativeFile]:
    """The bytes of a file, inflated if it is packed.

    Arrow reads ahead in threads of its own, which call no Python here: a program may end at once.
    """
    kind = packed.kind(file)
    with pa.OSFile(str(file)) as stream:
        if kind is None:
            yield stream
            return
        with pa.CompressedInputStream(stream, kind) as inflated:
            yield inflated


def _as_utf8(stream: pa.NativeFile, file: Path, encoding: str) -> pa.NativeFile:
    """The text of a stream in utf-8; of another encoding all of it, in Arrow's memory.

    Bytes of Python would be given back by Arrow's threads, which call Python for that.
    """
    if codecs.lookup(encoding).name == "utf-8":
        return stream
    decoder, text = codecs.getincrementaldecoder(encoding)(), pa.BufferOutputStream()
    while piece := stream.read(BLOCK):
        text.write(decoder.decode(piece).encode())
        packed.check(file, text.tell())
        memory.check(text.tell(), f"The text of {file}", "Save it as utf-8.")
    text.write(decoder.decode(b"", final=True).encode())
    return pa.BufferReader(text.getvalue())


def _end(file: Path) -> bytes:
    """The last signs of a file, without white space and what utf-16 has between letters."""
    result = b""
    with packed.opened(file) as stream:
        while piece := stream.read(BLOCK):
            result = (result + piece)[-LAST:]
    return result.replace(b"\0", b"").rstrip()


def _blocks(
    file: Path,
    names: tuple[str, ...],
    delimiter: str,
    encoding: str,
    skipped: int,
    wanted: Sequence[str],
) -> Iterator[Block]:
    """Blocks of the wanted columns, from the first row on."""
    texts = pa.dictionary(pa.int32(), pa.string())
    with _faults(file, delimiter, encoding), _opened(file) as stream:
        reader = pyarrow.csv.open_csv(
            _as_utf8(stream, file, encoding),
            pyarrow.csv.ReadOptions(column_names=names, skip_rows=skipped, block_size=BLOCK),
            pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, texts),
                include_columns=list(wanted),
                strings_can_be_null=False,
            ),
        )
        batch = None
        for number, batch in enumerate(reader):
            packed.check(file, number * BLOCK)  # a block makes a batch
            yield from of_batches(iter([batch]), wanted, file.name)
        last = batch and names[-1] in wanted and batch.num_rows and batch.column(names[-1])[-1]
        if last and "\n" in last.as_py() and not _end(file).endswith(b'"'):
            raise ValueError(
                f"Quotes stand before and after a cell; the last one of {file} is open. Save "
                "it anew."
            )


@contextlib.contextmanager
def _faults(file: Path, delimiter: str, encoding: str) -> Iterator[None]:
    """Errors of Arrow as one line: rule, what was found, way out."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, OSError, EOFError) as error:
        said = str(error)
        ragged = re.search(r"Expected (\d+) columns, got (\d+)", said)
        if ragged:
            raise _ragged(file, delimiter, encoding, int(ragged[1]), int(ragged[2])) from error
        if "UTF8" in said or isinstance(error, UnicodeDecodeError):
            raise _not_text(file, encoding) from error
        if "straddl" in said:
            raise ValueError(
                f"A row has at most {BLOCK:,} bytes; {file} has a longer one. A quote may be left "
                "open: save it as a CSV anew."
            ) from error
        raise ValueError(
            f"{RULE}; {file} cannot be read ({files.reason(error)}). Save it anew."
        ) from error


def _ragged(file: Path, delimiter: str, encoding: str, wanted: int, got: int) -> ValueError:
    """The error for a row of another number of cells; the row is found by reading again."""
    where = "a row"
    with contextlib.suppress(csv.Error, ValueError, OSError), packed.opened(file) as handle:
        text = io.TextIOWrapper(handle, encoding, "replace", newline="")
        rows = csv.reader(text, delimiter=delimiter)
        for number, row in enumerate(filter(None, rows)):
            if len(row) != wanted:
                where, got = f"line {rows.line_num} (row {number})", len(row)
                break
    return ValueError(
        f"Every row has a cell in each of the {wanted} columns of the first line; {where} of "
        f"{file} has {got}. Put quotes around cells that hold {delimiter!r}."
    )
