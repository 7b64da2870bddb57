"""Small files of a run: written atomically, and checked when they are read.

A run is written on this machine, and read from anywhere that epath knows, as gs://bucket/run.
"""

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import BinaryIO, TypeAlias

from etils import epath

from amd_jax.facts import Json, field_types
from amd_jax.host import filesystem

LIMIT = 1 << 24  # bytes of a file that is read whole
REASON = 400  # characters of a message of somebody else's
AnyPath: TypeAlias = Path | epath.Path  # on this machine, or elsewhere
Kinds: TypeAlias = Mapping[str, type | UnionType]  # of the fields of an object


class UnreadableError(ValueError):
    """A text is not what this program writes."""


def at(location: str | Path) -> AnyPath:
    """What a path or an address (gs://...) names; ValueError for an address out of reach."""
    if "://" not in str(location):
        return Path(location)  # for epath whatever is no folder is a file, a pipe too
    try:
        result = epath.Path(location)
        result.exists()  # what an address needs is imported and asked here, and not later
        return result
    except KeyError as error:
        raise ValueError(
            f"Files are read from this machine, or from gs:// or s3://; got {location}. "
            "Copy it to this machine first."
        ) from error
    except Exception as error:  # each kind of storage has its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{location} cannot be reached: {reason[0]}.") from error


def check_workdir(workdir: object) -> None:
    """Raises ValueError unless a run's folder is named."""
    if not isinstance(workdir, str | os.PathLike) or not str(workdir):
        raise ValueError(
            f"A run has a folder; got {workdir!r:.40}. Give its path, '.' for this one."
        )


def write_json(path: Path, value: object) -> None:
    """Writes JSON, as `filesystem.write` does."""
    filesystem.write(path, f"{json.dumps(value, indent=2)}\n".encode())


def read_json(path: AnyPath, kinds: Kinds, *, follow: bool = False) -> Json:
    """The object in a file of a run, with fields of some kinds; ValueError if it is damaged."""
    try:
        return parsed(text(path, follow=follow), kinds)
    except UnreadableError as error:
        raise damaged(path, str(error)) from error


def parsed(text: str, kinds: Kinds) -> Json:
    """The object that a text of JSON holds; UnreadableError unless its fields are of the kinds."""
    try:
        result = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from error
    if not isinstance(result, dict):
        raise UnreadableError(f"it holds no object, but {type(result).__name__}")
    for name, kind in kinds.items():
        if not isinstance(result.get(name), kind):
            raise UnreadableError(f"its {name} must be of the kind {field_types.named(kind)}")
    return result


def text(path: AnyPath, *, follow: bool = False) -> str:
    """The text of a file of a run; ValueError if it is gone, or is no text."""
    if not path.is_file():
        raise ValueError(
            f"{path} belongs to the run, but is gone. Restore it, or give another workdir."
        )
    try:
        return content(path, follow=follow).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(path, cause(error)) from error


def content(path: AnyPath, limit: int = LIMIT, *, follow: bool = False) -> bytes:
    """The bytes of a regular file, here or elsewhere.

    Raises OSError for more of them than `limit`, and unless `follow` for a link: what a run from
    elsewhere shows is its own.
    """
    with opened(path, follow=follow) as file:
        if filesystem.size(file) > limit:
            raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))
        return file.read()


def opened(path: AnyPath, *, follow: bool) -> BinaryIO:
    """A regular file, here or elsewhere, to be read; unless `follow` OSError for a link."""
    is_here = isinstance(path, Path)
    return filesystem.regular(path, follow=follow) if is_here else path.open("rb")


def damaged(path: AnyPath, reason: str) -> ValueError:
    """What to raise for a file that is not as the run wrote it."""
    return ValueError(
        f"{path} must be as the run wrote it; it is damaged: {reason}. "
        "Restore it, or give another workdir."
    )


def cause(error: Exception) -> str:
    """What the system says of an error, such as "No such file"; else what the error says."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def reason(error: Exception) -> str:
    """What an error says, after its kind where that tells more: one line that a console shows."""
    first = next(iter(str(error).strip().splitlines()), "")
    line = first if type(error) is ValueError else f"{type(error).__name__}: {first}"
    return "".join(c if c.isprintable() else "\ufffd" for c in line[:REASON])
