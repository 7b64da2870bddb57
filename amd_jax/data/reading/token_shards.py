"""Finds and reads files of tokens: `.bin`, `.npy`, Megatron's `.bin` with `.idx`; some or many.

They are never read whole, nor mapped into memory: tokens are read from their place in the file.
So resident memory does not grow with what was read, and a file that was cut off meanwhile is an
error of one line, and no bus error.
"""

import glob
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer

from amd_jax.data.reading import arrays, files, megatron_index
from amd_jax.host.printable import cut, in_one_line

RULE = "Tokens are a .bin, a .npy, Megatron's .bin with .idx, a folder of these or a pattern"
TYPES = ("uint16", "uint32")  # of a .bin without an .idx
SUFFIXES = (".bin", ".npy")
WILD = frozenset("*?[")
SHOWN = 60  # characters of a file name in a message


class Shard(NamedTuple):
    """Tokens in a file."""

    file: Path
    dtype: np.dtype  # of integers
    start: int  # of the tokens, in bytes
    size: int  # tokens

    def read(self, begin: int, into: np.ndarray) -> None:
        """Fills an array (n,) of `dtype` with the tokens from `begin` on.

        Raises:
            ValueError: if the file is gone, or has become shorter, since it was found.
        """
        rest, found = into.view(np.uint8).data, ""
        try:
            with self.file.open("rb", buffering=0) as handle:
                handle.seek(self.start + begin * self.dtype.itemsize)
                while rest and (count := handle.readinto(rest)):
                    rest = rest[count:]
        except OSError as error:
            found = f"cannot be read ({files.reason(error)})"
        if rest:
            found = found or f"ends now before token {begin + len(into):,}"
            raise ValueError(
                f"Files of tokens stay as they are during a run; {self.file} had {self.size:,} "
                f"tokens, and {found}. Restore it, and continue the run."
            )


def find(path: str, dtype: str = "uint16") -> tuple[Shard, ...]:
    """The shards of a file, of a folder or of a pattern such as data/train_*.bin, by their names.

    Of a folder it is every .bin and .npy in it. `dtype` is that of a .bin without an .idx.

    Raises:
        ValueError: in one line, for no file of tokens, one that cannot be, or several types.
    """
    if dtype not in TYPES:
        raise ValueError(f"dtype is one of {', '.join(TYPES)}; got {dtype!r:.60}.")
    shards = tuple(_shard(file, dtype) for file in _files(path))
    for shard in shards:
        if shard.dtype != shards[0].dtype:
            raise ValueError(
                f"All shards are of one type; {_name(shards[0])} is {shards[0].dtype}, and "
                f"{_name(shard)} is {shard.dtype}. Give a pattern that takes those of one type: "
                "path='folder/*.bin'."
            )
    return shards


def _files(path: str) -> list[Path]:
    """The files that a path or a pattern means, sorted."""
    place = files.expanded(path)
    if place.is_dir():
        found = [file for file in place.iterdir() if file.suffix in SUFFIXES]
    elif WILD & {*str(path)} and not place.exists():
        names = (Path(name) for name in glob.glob(str(place)))
        found = [file for file in names if file.suffix != ".idx"]
    else:
        found = [place.with_suffix(".bin") if place.suffix == ".idx" else place]
    if not found:
        where = "the folder" if place.is_dir() else "what matches"
        raise ValueError(f"{RULE}; {where} {in_one_line(path)} has no such file. Check the path.")
    for file in found:
        files.check_file(file, RULE)
    return sorted(found)


def _shard(file: Path, dtype: str) -> Shard:
    """The tokens of a file."""
    if file.suffix == ".npy":
        return _of_npy(file)
    if file.suffix != ".bin":
        raise ValueError(f"{RULE}; got {file}. Rename it if it is one of them.")
    size, index = file.stat().st_size, file.with_suffix(".idx")
    kind = np.dtype(dtype).newbyteorder("<")
    if index.is_file():
        kind, declared, *_ = megatron_index.read(index)
        if declared != size:
            raise ValueError(
                f"An .idx is of the .bin beside it; {index} tells of {declared:,} bytes, and "
                f"{file.name} has {size:,}. Copy both anew."
            )
    if size % kind.itemsize:
        raise ValueError(
            f"A token of {kind} takes {kind.itemsize} bytes; {file} has {size:,} bytes, which is "
            "no whole number of tokens. Check its type (dtype=uint16 or uint32), or copy it anew."
        )
    return Shard(file, kind, 0, size // kind.itemsize)


def _of_npy(file: Path) -> Shard:
    """The tokens of a .npy."""
    stored = arrays.single(file, RULE, "Save one axis of integers with numpy.save.")
    if stored.dtype.kind not in "iu" or len(stored.shape) != 1:
        raise ValueError(
            f"Tokens of a .npy are integers of one axis; {file} has {stored.dtype} of the shape "
            f"{stored.shape}. Save tokens.reshape(-1).astype(numpy.uint16)."
        )
    return Shard(file, stored.dtype, stored.start, stored.shape[0])


def _name(shard: Shard) -> str:
    return cut(in_one_line(shard.file.name), SHOWN)


class Stream:
    """The tokens of shards, one after the other, as one stream."""

    def __init__(self, shards: tuple[Shard, ...]):
        """Of one shard or more, of one type."""
        self.shards = shards
        self._ends = np.cumsum([shard.size for shard in shards], dtype=np.int64)

    def __len__(self) -> int:
        """Tokens of all shards."""
        return int(self._ends[-1])

    def windows(
        self, starts: Integer[np.ndarray, "n"], length: int
    ) -> Integer[np.ndarray, "n length"]:
        """The `length` tokens from each of `starts` on, of the type of the files."""
        result = np.empty((len(starts), length), self.dtype)
        self.read(starts, result)
        return result

    @property
    def dtype(self) -> np.dtype:
        """Of the tokens: that of every shard."""
        return self.shards[0].dtype

    def read(self, starts: Integer[np.ndarray, "n"], into: Iterable[np.ndarray]) -> None:
        """Fills arrays of `dtype` with the tokens from each of `starts` on."""
        first = np.searchsorted(self._ends, starts, side="right")
        for row, start, place in zip(into, starts.tolist(), first.tolist(), strict=True):
            done = 0
            while done < len(row):
                shard, end = self.shards[place], int(self._ends[place])
                count = min(len(row) - done, end - start)
                if count:
                    shard.read(shard.size - (end - start), row[done : done + count])
                done, start, place = done + count, start + count, place + 1

    def place(self, token: int) -> str:
        """Where a token of the stream is: its file, and its number there."""
        i = int(np.searchsorted(self._ends, token, side="right"))
        shard = self.shards[i]
        return f"token {token - int(self._ends[i]) + shard.size:,} of {shard.file}"
