"""Locks a run folder: one process trains in it at a time."""

import os
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from amd_jax.host import filesystem

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

_HELD: dict[Path, BinaryIO] = {}  # this process's locks, which the system takes back at its end


def hold(workdir: str | Path) -> None:
    """Makes `workdir`, and keeps other processes from training in it while this one lives.

    Raises ValueError if it cannot be written, or another process holds it. Where the system or
    the file system has no such locks, nobody is kept out.
    """
    check_local(workdir)
    path = Path(workdir).absolute() / "lock"
    if _holds(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = filesystem.append(path)
    except OSError as error:
        raise unwritable(workdir, error) from error
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ValueError(
            f"{workdir} is in use by another run that is alive. Wait for it, or give another "
            "workdir. (Several processes of one run know each other from the start.)"
        ) from error
    except OSError:  # this file system has no locks
        pass
    if gone := _HELD.get(path):  # of a folder that was there before
        gone.close()
    _HELD[path] = file


def _holds(lock: Path) -> bool:
    """Whether this process holds the file that is in a place now."""
    try:
        return lock in _HELD and os.path.samestat(os.fstat(_HELD[lock].fileno()), lock.stat())
    except OSError:
        return False


def check_held(workdir: Path) -> None:
    """Raises ValueError if the folder that this process holds is not in its place any more."""
    if not _holds(workdir.absolute() / "lock"):
        raise ValueError(
            f"{workdir} was deleted, moved or replaced while it was trained in, so nothing more "
            "can be saved. Put it back: the same command continues from what is saved."
        )


def check_local(workdir: str | Path) -> None:
    """Raises ValueError for a workdir that is not on this machine."""
    if "://" in str(workdir):
        raise ValueError(
            f"Training writes to a folder of this machine; got {workdir}. Give a local workdir "
            "and copy it when the run is done: a finished run can be read from there."
        )


def unwritable(workdir: str | Path, error: OSError) -> ValueError:
    """What is said of a folder that cannot be written."""
    return ValueError(
        f"The workdir must be a folder that can be written; {error.filename or workdir}: "
        f"{error.strerror}. Give another workdir."
    )
