"""Reads files of lines: plain text, .smi and FASTA, packed or not."""

import io
from pathlib import Path

from amd_jax.data.reading import files, packed
from amd_jax.host import memory

RULE = "Lines are a text file, FASTA or a CSV"
FASTA = (".fasta", ".fa", ".faa", ".fna", ".fas")
TABLES = (".csv", ".tsv", ".parquet", ".arrow", ".feather")
TIMES = 5  # bytes of memory that a byte of a file takes, about


def suffix(file: Path) -> str:
    """The last suffix of a file, but for that of packing: ".smi" of "a.smi.gz"."""
    return next((s.lower() for s in file.suffixes[::-1] if s.lower() not in packed.SUFFIXES), "")


def read(file: Path) -> list[str]:
    """The lines of a file in their order, without spaces around them; empty ones, too.

    FASTA is told by its first character; a record is one line, and its header does not count. In
    a .smi a line ends at its first space, before the name of the molecule.

    Raises:
        ValueError: if it is not utf-8, or no text, or called FASTA without being it.
    """
    text = _text(file)
    if text.lstrip().startswith(">"):
        records = f"\n{text.lstrip()}".split("\n>")[1:]
        return ["".join(record.partition("\n")[2].split()) for record in records]
    if suffix(file) in FASTA:
        start = next((line for line in text.split("\n") if line.strip()), "")
        raise ValueError(
            f"Each record of FASTA begins with >; {file} begins with "
            f"{files.printable(start, 40)!r}. Rename it to .txt if its lines are the sequences."
        )
    lines = [line.strip() for line in text.removesuffix("\n").split("\n")]
    if suffix(file) == ".smi":
        return [line.split(maxsplit=1)[0] if line else "" for line in lines]
    return lines


def _text(file: Path) -> str:
    """The text of a utf-8 file, every line end a line feed."""
    way_out = "Give a part of the file."
    memory.check(TIMES * file.stat().st_size, f"The lines of {file}", way_out)
    with files.decoding(RULE, str(file), "Save it anew."), packed.opened(file) as handle:
        content = io.BufferedReader(handle, 1 << 20).read()
    memory.check((TIMES - 1) * len(content), f"The lines of {file}", way_out)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"Lines must be utf-8; line {line:,} of {file} holds the byte "
            f"{content[error.start]:#04x} where it may not stand. Save it as utf-8."
        ) from error
    if "\0" in text:
        raise ValueError(f"{RULE}; {file} holds zero bytes, as no text does. Save it as text.")
    return text.replace("\r\n", "\n").replace("\r", "\n")
