"""Assigns the maps of a folder or an archive to splits."""

import collections
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amd_jax.data.dataset import SPLITS, split_90_5_5
from amd_jax.data.reading.files import printable

NAMES: dict[str, tuple[str, ...]] = {split: (split,) for split in SPLITS} | {
    "validation": ("validation", "val")
}


def starts() -> list[str]:
    """The names of folders and arrays that stand for splits."""
    return [name for names in NAMES.values() for name in names]


def files(folder: Path) -> dict[str, list[Path]]:
    """Split -> its PNGs: those of its subfolder, or a share of those in the folder itself."""
    subfolders = {
        split: [folder / name for name in names if (folder / name).is_dir()]
        for split, names in NAMES.items()
    }
    if not any(subfolders.values()):
        everything = _pngs([folder])
        if not everything:
            raise ValueError(
                f"Maps must be PNGs; found none in {folder}, which holds {_inside(folder)}. "
                "Check the path."
            )
        shares = shared(np.array(everything), folder)
        return {split: list(part) for split, part in shares.items()}
    pngs = {split: _pngs(folders) for split, folders in subfolders.items() if folders}
    for split in ("train", *pngs):
        if not pngs.get(split):
            raise ValueError(
                f"A split needs one map; found no PNG in {folder / ' or '.join(NAMES[split])}. "
                "Put some there, or all into one folder, which is then split 90/5/5."
            )
    return pngs


def _inside(folder: Path) -> str:
    """What a folder holds, in words, such as "3 .jpg, 1 folder"."""
    kinds = collections.Counter(
        "folder" if path.is_dir() else path.suffix or "file" for path in folder.iterdir()
    )
    return ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(3)) or "nothing"


def _pngs(folders: Sequence[Path]) -> list[Path]:
    result = (file for folder in folders for file in folder.iterdir())
    return sorted(f for f in result if f.suffix.lower() == ".png" and f.name[0] != ".")


def shared(maps: np.ndarray, path: Path) -> dict[str, np.ndarray]:
    """Maps, or their files, (N, ...) split 90/5/5 in order."""
    splits = split_90_5_5(maps)
    if not all(map(len, splits.values())):
        raise ValueError(
            f"Each split (90/5/5) needs one map, so {path} needs 11; found {len(maps)}. Use more, "
            "or split them yourself: train, validation and test (folders, or arrays of a .npz)."
        )
    return splits


def named(names: Sequence[str], path: Path) -> dict[str, str]:
    """Split -> the name of its array in a `.npz` that has several."""
    result = {
        split: next(name for name in known if name in names)
        for split, known in NAMES.items()
        if any(name in names for name in known)
    }
    if "train" not in result:
        raise ValueError(
            "A .npz must hold one array, or train and, where there are such, validation (or val) "
            f"and test; {path} holds {printable(', '.join(names)) or 'none'}. Save them "
            "under these names."
        )
    return result
