"""Reads the labels of maps: columns of a labels.csv beside PNGs, or arrays of a .npz."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amd_jax.data.reading import arrays, files, splitting
from amd_jax.host.printable import cut, in_one_line

TABLE, KEY = "labels.csv", "file"
RULE = f"{TABLE} has a column {KEY}, and one for each kind of label"
WAY_OUT = "Save it as a CSV in utf-8."


def names(path: Path) -> list[str]:
    """What labels there are for the maps at a path: names of columns or arrays."""
    if (path / TABLE).is_file():
        return [name for name in _table(path)[0] if name != KEY]
    if path.is_file() and arrays.is_archive(path):
        known = splitting.starts()
        result = [_kind(name, known) for name in arrays.names(path)]
        return [*dict.fromkeys(filter(None, result))]
    return []


def arrays_of(path: Path, label: str) -> dict[str, str]:
    """The arrays of a .npz that hold a label: split -> name; "" -> that of all maps."""
    known = {start: split for split, starts in splitting.NAMES.items() for start in starts}
    found = arrays.names(path)
    result = {split: f"{start}_{label}" for start, split in known.items()}
    result = {split: name for split, name in result.items() if name in found}
    return result or {"": label}


def read(path: Path, label: str) -> dict[str, list[str]]:
    """Split -> the label of each of its maps, in their order.

    Raises:
        ValueError: for a map without a label, or a table or arrays of another kind.
    """
    return _of_folder(path, label) if path.is_dir() else _of_archive(path, label)


def _of_folder(path: Path, label: str) -> dict[str, list[str]]:
    """The labels of the PNGs of a folder, by a column of its table."""
    header, rows = _table(path)
    key, place = header.index(KEY), header.index(label)
    texts: dict[str, str] = {}
    for row in rows:
        name = row[key].replace("\\", "/")
        if name in texts:
            raise ValueError(
                f"A map has one label; {path / TABLE} has two rows of {_shown(name)}. Drop one."
            )
        texts[name] = row[place].strip()
    result = {
        split: [png.relative_to(path).as_posix() for png in pngs]
        for split, pngs in splitting.files(path).items()
    }
    for name in (name for pngs in result.values() for name in pngs):
        if not texts.get(name):
            raise ValueError(
                f"Each map has a label; {path / TABLE} has none of {_shown(name)} in the column "
                f"{_shown(label)}. Add a row."
            )
    return {split: [texts[name] for name in pngs] for split, pngs in result.items()}


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header of the table in a folder, and its rows, each as long."""
    file = path / TABLE
    with files.decoding(RULE, str(file), WAY_OUT):
        text = file.read_text(encoding="utf-8-sig")
        header, *rows = [row for row in csv.reader(io.StringIO(text)) if row] or [[]]
    header = [name.strip() for name in header]
    short = [n for n, row in enumerate(rows, start=2) if len(row) != len(header)]
    if KEY not in header or len({*header}) < len(header) or short:
        what = f"row {short[0]} has another length" if short else ", ".join(header)
        raise ValueError(f"{RULE}; {file}: {_shown(what)}. Mend it.")
    return header, rows


def _of_archive(path: Path, label: str) -> dict[str, list[str]]:
    """The labels of the maps of a .npz, by arrays (N,) of whole numbers or text."""
    result = {}
    chosen = arrays_of(path, label)
    for split, stored in zip(chosen, arrays.several(path, [*chosen.values()]), strict=True):
        if len(stored.shape) != 1 or stored.dtype.kind not in "biuU":
            raise ValueError(
                f"Labels are whole numbers or text (N,), one for each map; {chosen[split]} in "
                f"{path} is {stored.dtype} {stored.shape}."
            )
        result[split] = [str(value) for value in stored.array().tolist()]
    if "" not in result:
        return result
    places = splitting.shared(np.arange(len(result[""])), path)
    return {split: [result[""][n] for n in part] for split, part in places.items()}


def _kind(name: str, starts: Sequence[str]) -> str:
    """The label that an array is of: what follows "train_", or its name; "" for maps."""
    if name in starts:
        return ""
    start, _, rest = name.partition("_")
    return rest if start in starts else name


def _shown(text: str) -> str:
    return cut(in_one_line(text), 100)
