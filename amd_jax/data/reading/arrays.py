"""Reads `.npy` and `.npz` files, whose headers are checked before their content."""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from amd_jax.data.reading import files, zips
from amd_jax.data.reading.mapped import Mapped
from amd_jax.host import memory

RULE = "Maps are a folder of PNGs, a .npy or a .npz"
WAY_OUT = "Save one array of integers (N, H, W) with numpy.save."
INFLATED = 1 << 30  # bytes that the arrays of a .npz may take together
BEGINNING = 1 << 14  # bytes that hold every header: numpy itself takes none over 10,000
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class Stored(NamedTuple):
    """An array in a file, of which only the header was read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    order: Literal["C", "F"]
    start: int  # of the content in the file, in bytes
    content: Callable[["Stored"], np.ndarray]

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return math.prod(self.shape) * self.dtype.itemsize

    def array(self) -> np.ndarray:
        """The array itself: mapped from a `.npy`, inflated from a `.npz`."""
        return self.content(self)


def is_archive(file: Path) -> bool:
    """Whether a file is a zip archive, as a `.npz` is."""
    with file.open("rb") as handle:
        return handle.read(4) in (b"PK\x03\x04", b"PK\x05\x06")  # full or empty


def single(file: Path, rule: str = RULE, way_out: str = WAY_OUT) -> Stored:
    """The array of a `.npy`. ValueError unless it is one, whole, and without Python objects.

    The message begins with a rule, and ends with a way out.
    """

    def mapped(stored: Stored) -> np.ndarray:
        shape, dtype, order, start, _ = stored
        return Mapped(file, dtype, "r", start, shape, order)

    with files.decoding(rule, str(file), way_out), file.open("rb") as handle:
        return _stored(handle.read(BEGINNING), file.stat().st_size, mapped)


def names(file: Path) -> list[str]:
    """Names of the arrays of a `.npz`. ValueError if it cannot be read, or two have one name."""
    with files.decoding(RULE, str(file), WAY_OUT), zips.opened(file) as archive:
        result = [name.removesuffix(".npy") for name in archive.namelist()]
        if len(set(result)) < len(result):
            raise ValueError("two of its arrays have one name")
        return result


def several(file: Path, chosen: Sequence[str]) -> list[Stored]:
    """Arrays of a `.npz` by their names.

    Raises:
        ValueError: unless each is one, without Python objects, and all of them may be inflated.
    """
    with files.decoding(RULE, str(file), WAY_OUT), zips.opened(file) as archive:
        result = [_in_archive(archive, name, file) for name in chosen]
    total = sum(stored.size for stored in result)
    if total > INFLATED:
        raise ValueError(
            f"A .npz is inflated in memory, up to {INFLATED:,} bytes; the arrays of {file} take "
            f"{total:,}. Save the maps as one .npy of uint8, which is read piece by piece."
        )
    memory.check(total, f"The arrays of {file}", "Save the maps as one .npy of uint8.")
    return result


def _in_archive(archive: zips.zipfile.ZipFile, name: str, file: Path) -> Stored:
    """One array of a `.npz`."""
    member = name if name in archive.namelist() else f"{name}.npy"

    def inflated(stored: Stored) -> np.ndarray:
        with (
            files.decoding(RULE, str(file), WAY_OUT),
            zips.opened(file) as again,
            zips.member(again, member) as handle,
        ):
            handle.read(stored.start)
            whole = np.empty(stored.size, np.uint8)  # memory is taken as it is filled
            zips.fill(whole.data, handle)
            return np.ndarray(stored.shape, stored.dtype, whole, order=stored.order)

    with zips.member(archive, member) as handle:
        return _stored(handle.read(BEGINNING), archive.getinfo(member).file_size, inflated)


def _stored(beginning: bytes, size: int, content: Callable[[Stored], np.ndarray]) -> Stored:
    """The array in a `.npy` of `size` bytes that begins so. ValueError unless that is true."""
    stream = io.BytesIO(beginning)
    version = np.lib.format.read_magic(stream)
    if version not in HEADERS:
        raise ValueError(f"it has version {version} of the format")
    shape, is_fortran, dtype = HEADERS[version](stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, as of maps that differ in size")
    stored = Stored(shape, dtype, "F" if is_fortran else "C", stream.tell(), content)
    declared = stored.start + stored.size
    if min(shape, default=0) < 0 or declared != size:
        raise ValueError(f"its header tells of {declared:,} bytes, shape {shape}; it has {size:,}")
    return stored
