"""Where data sets live on disk, and how two processes keep out of each other's way there."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def root(data_dir: str | None) -> Path:
    """The folder of TFDS: `data_dir`, or TFDS_DATA_DIR, or ~/tensorflow_datasets."""
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return Path(data_dir or default).expanduser().resolve()


def manual(folder: Path, name: str) -> Path:
    """Where an archive belongs that is fetched by hand; TFDS looks there as well."""
    return folder / "downloads" / "manual" / name


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder; it falls with the process, so an interrupted build blocks none."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
