"""Small files of a run: written whole, and read with a look at what they are.

A run is written on this machine, and read from anywhere that epath knows, as gs://bucket/run.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etils import epath

Place = Path | epath.Path  # on this machine, or elsewhere


class UnreadableError(ValueError):
    """A text is not what this program writes."""


def at(place: str | Path) -> Place:
    """What a path or an address (gs://...) names; ValueError for an address out of reach."""
    if "://" not in str(place):
        return Path(place)  # for epath whatever is no folder is a file, a pipe too
    try:
        found = epath.Path(place)
        found.exists()  # what an address needs is imported and asked here, and not later
        return found
    except KeyError as error:
        raise ValueError(
            f"Files are read from this machine, or from gs:// or s3://; got {place}. "
            "Copy it to this machine first."
        ) from error
    except Exception as error:  # each kind of storage has its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{place} cannot be reached: {reason[0]}.") from error


def write(path: Path, content: bytes) -> None:
    """Writes a file that is there whole, or as it was before."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before its name: a machine may lose its power
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Writes JSON, as `write` does."""
    write(path, f"{json.dumps(value, indent=2)}\n".encode())


def read_json(path: Place, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The object in a file of a run, with fields of some kinds; ValueError if it is damaged."""
    try:
        return parsed(text(path), kinds)
    except UnreadableError as error:
        raise damaged(path, str(error)) from error


def parsed(text: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The object that a text of JSON holds; UnreadableError unless its fields are of the kinds."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from error
    if not isinstance(found, dict):
        raise UnreadableError(f"it holds no object, but {type(found).__name__}")
    for name, kind in kinds.items():
        if not isinstance(found.get(name), kind):
            kind = getattr(kind, "__name__", kind)
            raise UnreadableError(f"its {name} must be of the kind {kind}")
    return found


def text(path: Place) -> str:
    """The text of a file of a run; ValueError if it is gone, or is no text."""
    if not path.is_file():
        raise ValueError(
            f"{path} belongs to the run, but is gone. Restore it, or give another workdir."
        )
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise damaged(path, str(error)) from error


def damaged(path: Place, reason: str) -> ValueError:
    """What to raise for a file that is not as the run wrote it."""
    return ValueError(
        f"{path} must be as the run wrote it; it is damaged: {reason}. "
        "Restore it, or give another workdir."
    )
