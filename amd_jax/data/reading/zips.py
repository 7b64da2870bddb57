"""Zip archives that others made: nothing in them is believed, and nothing is read in one piece.

What an archive says of a member's size may be wrong, and `ZipFile.read` asks for all of it: a
member of 2 MB can take 2 GB. Pieces are bounded by what is asked for.
"""

import collections
import contextlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

PIECE = 1 << 20  # bytes of a member that are inflated at a time
CONTENTS = 1 << 23  # bytes that the list of members may take: that of Cityscapes takes 3 MB
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # Python cannot bound the others
OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")  # of every folder


class _File(io.FileIO):
    """A file of which no more than `CONTENTS` bytes are read at a time.

    Python reads the list of members in one piece, and makes an object of each.
    """

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > CONTENTS:
            raise ValueError(f"its list of members takes {size:,} bytes, over {CONTENTS:,}")
        return super().read(size)


@contextlib.contextmanager
def opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """An archive, open. ValueError if a name in it leads elsewhere, or occurs twice."""
    with _File(file) as handle, zipfile.ZipFile(handle) as archive:
        names = archive.namelist()
        for name in filter(OUTSIDE.search, names):
            raise ValueError(f"its member {name!r} lies outside of it")
        for name, number in collections.Counter(names).most_common(1):
            if number > 1:
                raise ValueError(f"it has {number} members {name!r}")
        yield archive


def member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipExtFile:
    """A member, open; it gives as many bytes as one asks for, and never more than it declares.

    Raises:
        ValueError: if it is compressed in a way that cannot be bounded.
    """
    info = archive.getinfo(name)
    if info.compress_type not in METHODS:
        method = getattr(zipfile, "compressor_names", {}).get(info.compress_type, "unknown")
        raise ValueError(
            f"its member {name!r} is compressed by method {info.compress_type} ({method}), and "
            "not deflated"
        )
    return archive.open(name)  # type: ignore[return-value]  # typeshed says IO[bytes] for all modes


def content(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of a member. ValueError if it declares more than `most`."""
    size = archive.getinfo(name).file_size
    if size > most:
        raise ValueError(f"its member {name!r} has {size:,} bytes, over {most:,}")
    whole = bytearray(size)
    with member(archive, name) as handle:
        fill(memoryview(whole), handle)
    return bytes(whole)


def fill(whole: memoryview, handle: zipfile.ZipExtFile) -> None:
    """Fill a memory with the rest of a member. ValueError if that ends early, or goes on."""
    done = 0
    while piece := handle.read(PIECE):  # the last one checks the checksum
        if done + len(piece) > len(whole):
            raise ValueError(f"it goes on after {len(whole):,} bytes")
        whole[done : done + len(piece)] = piece
        done += len(piece)
    if done < len(whole):
        raise ValueError(f"it is cut short: {done:,} bytes of {len(whole):,}")
