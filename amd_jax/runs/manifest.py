"""The record of a checkpoint: checksums of all that belongs to it, by which damage is noticed.

A folder counts as a checkpoint once its record is there, which is written last. The record's
first line is the checksum of the rest, so that a record that was damaged itself is noticed too.
"""

import hashlib
import json
from pathlib import Path

import jax
import numpy as np
from numpy.typing import ArrayLike

from amd_jax.facts import Json
from amd_jax.host import filesystem
from amd_jax.runs import run_files, run_folder
from amd_jax.runs.run_files import AnyPath
from amd_jax.types import Array, PyTree

NAME = "record.json"
KINDS = {  # of its fields
    "format": int,
    "run": str,
    "versions": dict,
    "files": dict,
    "arrays": dict,
    "bits": int | float | None,
}


def seal(folder: Path, arrays: Json, notes: Json) -> None:
    """Writes the record of a folder: checksums of its files and arrays, and the notes."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {str(path.relative_to(folder)): _file(path) for path in paths}
    body = json.dumps({"files": files, "arrays": arrays, **notes}, indent=1)
    filesystem.write(folder / NAME, f"{_text(body)}\n{body}\n".encode())


def read(folder: AnyPath) -> Json:
    """The record of a folder, whose files are not looked at; ValueError if it was damaged."""
    path = folder / NAME
    if not path.is_file():
        raise ValueError(f"{NAME} is missing, as after a save that was cut off")
    try:
        text = run_files.content(path).decode()
        digest, body = text.removesuffix("\n").split("\n", 1)
    except ValueError:  # of one line, or no text at all
        digest, body = "", ""
    if digest != _text(body):
        raise ValueError(f"{NAME} has changed since it was written")
    record = run_files.parsed(body, KINDS)
    if record["format"] > run_folder.FORMAT:
        raise ValueError(f"{NAME} was written by a newer version of amd_jax")
    return record


def check_files(folder: AnyPath, record: Json) -> None:
    """Raises ValueError, naming the file, for one that is missing or is not as it was written."""
    for name, digest in record["files"].items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"{NAME} names a file outside, {name}")
        if not (folder / name).is_file():
            raise ValueError(f"{name} is missing")
        if _file(folder / name) != digest:
            raise ValueError(f"{name} has changed since it was written")


def check_arrays(tree: PyTree, expected: dict[str, str]) -> None:
    """Raises ValueError, naming the array, if one is missing or not what was saved."""
    result = digests(tree)
    for name in sorted(expected.keys() | result.keys()):
        if expected.get(name) != result.get(name):
            raise ValueError(f"the array {name} is not the one that was saved")


def digests(tree: PyTree) -> dict[str, str]:
    """The checksum of every array of a tree, its type and shape included, by its place."""
    return {name: digest(leaf) for name, leaf in leaves(tree)}


def leaves(tree: PyTree) -> list[tuple[str, Array]]:
    """Every array of a tree with its place, such as "network/out/kernel"."""
    result = jax.tree_util.tree_leaves_with_path(tree)
    return [
        (jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in result
    ]


def digest(array: ArrayLike) -> str:
    """The checksum of an array, its type and shape included."""
    array = np.ascontiguousarray(array)
    result = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    result.update(array.reshape(-1).view(np.uint8).data)
    return result.hexdigest()


def _file(path: AnyPath) -> str:
    """The checksum of a file, read a piece at a time."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest()


def _text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
