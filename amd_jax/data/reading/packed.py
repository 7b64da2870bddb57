"""Opens files that may be packed (gzip, bzip2, zstd), without inflating more than is sound."""

import contextlib
import importlib
import importlib.util
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

INFLATION, ALWAYS = 200, 1 << 30  # how many times its size a file may inflate to, and bytes
LAST = 64  # bytes at the end that are kept
KINDS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
SUFFIXES = (".gz", ".zst", ".bz2")


class Guarded(io.RawIOBase):
    """The bytes of a file, the last of which are kept; ValueError for more than `most`.

    A packed file of a few bytes may inflate to more than any disk holds.
    """

    def __init__(self, stream: Any, most: float, name: str):
        self._stream, self._most, self._name = stream, most, name
        self.last = b""

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer with the next bytes; how many there were."""
        piece = self._stream.read(len(buffer))
        self._most -= len(piece)
        if self._most < 0:
            raise ValueError(
                f"A packed file inflates to at most {INFLATION} times its size; {self._name} "
                "holds more. If it is sound, unpack it first."
            )
        buffer[: len(piece)] = piece
        self.last = bytes(piece[-LAST:]) or self.last
        return len(piece)


@contextlib.contextmanager
def opened(file: Path) -> Iterator[Guarded]:
    """The bytes of a file, inflated if it is packed. ValueError without pyarrow, if it is."""
    with file.open("rb") as handle:
        start = handle.read(4)
        kind = next((kind for mark, kind in KINDS.items() if start.startswith(mark)), None)
        handle.seek(0)
        if kind is None:
            yield Guarded(handle, math.inf, str(file))
            return
        if importlib.util.find_spec("pyarrow") is None:
            raise ValueError(
                f"Packed files are read by pyarrow, which is not installed; {file} is packed. "
                "Install it (pip install 'amd_jax[tables]'), or unpack the file."
            )
        most = INFLATION * file.stat().st_size + ALWAYS
        with importlib.import_module("pyarrow").CompressedInputStream(handle, kind) as stream:
            yield Guarded(stream, most, str(file))
