"""Opens files that may be packed (gzip, bzip2, zstd), without inflating more than is sound."""

import contextlib
import importlib
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

INFLATION, ALWAYS = 200, 1 << 30  # how many times its size a file may inflate to, and bytes
KINDS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
SUFFIXES = (".gz", ".zst", ".bz2")


def kind(file: Path) -> str | None:
    """How a file is packed, by its first bytes; None if it is not."""
    with file.open("rb") as handle:
        start = handle.read(4)
    return next((kind for mark, kind in KINDS.items() if start.startswith(mark)), None)


def check(file: Path, size: float) -> None:
    """Raise ValueError once a packed file of a few bytes inflates to more than any disk holds."""
    if size > INFLATION * file.stat().st_size + ALWAYS:
        raise ValueError(
            f"A packed file inflates to at most {INFLATION} times its size; {file} holds more. If "
            "it is sound, unpack it first."
        )


class _Inflated(io.RawIOBase):
    """The bytes of a packed file, checked as they come."""

    def __init__(self, stream: Any, file: Path):
        self._stream, self._file, self._size = stream, file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._stream.read(len(buffer))
        self._size += len(piece)
        check(self._file, self._size)
        buffer[: len(piece)] = piece
        return len(piece)


@contextlib.contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, inflated if it is packed. ValueError without pyarrow, if it is."""
    how = kind(file)
    with file.open("rb") as handle:
        if how is None:
            yield handle
            return
        if importlib.util.find_spec("pyarrow") is None:
            raise ValueError(
                f"Packed files are read by pyarrow, which is not installed; {file} is packed. "
                "Install it (pip install 'amd_jax[tables]'), or unpack the file."
            )
        with importlib.import_module("pyarrow").CompressedInputStream(handle, how) as stream:
            yield io.BufferedReader(_Inflated(stream, file))
