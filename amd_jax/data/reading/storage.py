"""Where data sets are cached on disk, whole, and shared by several processes."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from amd_jax.data.reading import arrays, files
from amd_jax.host import filesystem


def root(data_dir: str | None) -> Path:
    """The folder of TFDS: `data_dir`, or TFDS_DATA_DIR, or ~/tensorflow_datasets.

    Raises ValueError for a ~ where there is no home.
    """
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    folder = files.expanded(data_dir or default)
    if str(folder).startswith("~"):
        raise ValueError(
            f"Data sets lie in {folder}, but there is no such home here. Set TFDS_DATA_DIR to a "
            "folder."
        )
    return folder.resolve()


def manual(folder: Path, name: str) -> Path:
    """Where an archive belongs that is fetched by hand; TFDS looks there as well."""
    return folder / "downloads" / "manual" / name


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder; it falls with the process, so an interrupted build blocks none."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with filesystem.append(folder / "lock") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def keep(file: Path, array: np.ndarray) -> None:
    """Write an array as a `.npy`, and its checksum; each appears only once it is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    with filesystem.created(partial) as handle:
        np.save(handle, array)
    checksum = file.with_suffix(".sha256.partial")
    with filesystem.created(checksum) as handle:
        handle.write(_sha256(partial).encode())
    checksum.replace(_checksum(file))
    partial.replace(file)


def kept(file: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The array of `keep`, uint8, mapped from disk; None unless its bytes are those written."""
    checksum = _checksum(file)
    if not (file.is_file() and checksum.is_file()):
        return None
    try:
        stored = arrays.single(file)
        if (stored.shape, stored.dtype) != (shape, np.uint8):
            return None
        with checksum.open("rb") as handle:
            expected = handle.read(64)
        return stored.array() if _sha256(file).encode() == expected else None
    except (OSError, ValueError):  # damaged
        return None


def _checksum(file: Path) -> Path:
    return file.with_suffix(".sha256")


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
