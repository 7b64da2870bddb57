"""Reads Megatron's `.idx`, which says what lies in the `.bin` beside it."""

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
HEADER = struct.Struct("<QBQQ")  # version, code of the type, sequences, documents
TYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}  # 6 and 7 are floats
WAY_OUT = "Write it anew with Megatron's preprocess_data.py, or move the .idx away."


class Index(NamedTuple):
    """What an `.idx` says of its `.bin`."""

    dtype: np.dtype
    size: int  # bytes of the .bin, up to the end of the last sequence
    sequences: int
    documents: int  # beginnings of documents in the list, the end of the last one among them


def read(file: Path) -> Index:
    """The type and the size of the tokens of an index; its lists are not read.

    After the header stand the length of each sequence (int32), where it begins in bytes (int64),
    and where documents begin (int64).

    Raises:
        ValueError: for another magic number or version, a type that is none of integers, and a
            file that is shorter than its lists.
    """
    start = len(MAGIC) + HEADER.size
    with file.open("rb") as handle:
        beginning = handle.read(start)
        if not beginning.startswith(MAGIC):
            raise ValueError(
                f"An .idx begins with {MAGIC!r}; {file} begins with {beginning[: len(MAGIC)]!r}. "
                f"{WAY_OUT}"
            )
        if len(beginning) < start:
            raise ValueError(
                f"An .idx has a header of {start} bytes; {file} ends in it. {WAY_OUT}"
            )
        version, code, sequences, documents = HEADER.unpack(beginning[len(MAGIC) :])
        if version != VERSION or code not in TYPES:
            raise ValueError(
                f"An .idx is of version {VERSION}, and its type is one of {[*TYPES]}; {file} has "
                f"version {version} and type {code}. {WAY_OUT}"
            )
        needed, size = start + 12 * sequences + 8 * documents, file.stat().st_size
        if size < needed:
            raise ValueError(
                f"The lists of {sequences:,} sequences and {documents:,} documents end at byte "
                f"{needed:,}; {file} has {size:,} bytes. {WAY_OUT}"
            )
        dtype = np.dtype(TYPES[code])
        if not sequences:
            return Index(dtype, 0, 0, documents)
        handle.seek(start + 4 * (sequences - 1))
        (length,) = struct.unpack("<i", handle.read(4))
        handle.seek(start + 12 * sequences - 8)
        (begin,) = struct.unpack("<q", handle.read(8))
    return Index(dtype, begin + length * dtype.itemsize, sequences, documents)


def ends(file: Path) -> Int64[np.ndarray, "n"]:
    """The tokens up to the end of each document.

    Raises:
        ValueError: as `read`, and for documents that begin in no sequence.
    """
    index, start = read(file), len(MAGIC) + HEADER.size
    begins = np.fromfile(file, "<i8", index.sequences, offset=start + 4 * index.sequences)
    bounds = np.append(begins, index.size) // index.dtype.itemsize  # of the sequences
    first = np.fromfile(file, "<i8", index.documents, offset=start + 12 * index.sequences)
    if len(first) and not 0 <= first.min() <= first.max() <= index.sequences:
        raise ValueError(
            f"Documents begin in one of {index.sequences:,} sequences; {file} has one that begins "
            f"in number {first.max():,}. {WAY_OUT}"
        )
    return bounds[first[1:]]
