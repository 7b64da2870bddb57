"""Files of this machine: written atomically, read only if they are regular files."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

NOFOLLOW, NONBLOCK, BINARY = (  # which not every system has; NONBLOCK: no wait for a pipe's end
    getattr(os, f"O_{flag}", 0) for flag in ("NOFOLLOW", "NONBLOCK", "BINARY")
)


@contextlib.contextmanager
def draft(path: Path) -> Iterator[BinaryIO]:
    """A new file that gets the name `path` at the end of the block, unless that raises.

    So the file is there whole, or as it was before. A link at `path` is replaced and not
    followed; raises OSError for a folder, a pipe or a device there.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    temporary = path.with_name(f"{path.name[:40]}.{secrets.token_hex(4)}.draft")
    file = created(temporary)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # before its name: a machine may lose its power
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # a write does not say what it was to
        raise


def write(path: Path, content: bytes) -> None:
    """Writes a file as `draft` does."""
    with draft(path) as file:
        file.write(content)


def created(path: Path) -> BinaryIO:
    """A new file, to be written, in the place of one that is there or of a link, unfollowed."""
    path.unlink(missing_ok=True)
    return _opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, "w+b")


def append(path: Path) -> BinaryIO:
    """A file, made if it is missing, to append to without a buffer; OSError for a link."""
    return _opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | NOFOLLOW, "ab", buffering=0)


def regular(path: Path, *, follow: bool) -> BinaryIO:
    """A regular file, to be read; OSError for all else, and unless `follow` for a link."""
    return _opened(path, os.O_RDONLY | (0 if follow else NOFOLLOW), "rb")


def size(file: BinaryIO) -> int:
    """The bytes of an open file, which is then at its start again."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    return end


def _opened(
    path: Path, flags: int, mode: Literal["rb", "w+b", "ab"], buffering: int = -1
) -> BinaryIO:
    """The file, open; OSError unless it is a regular one."""
    try:
        handle = os.open(path, flags | NONBLOCK | BINARY, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(errno.ELOOP, "it is a link, which is not followed", str(path)) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(handle, mode, buffering)
