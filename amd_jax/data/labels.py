"""Label maps in files: a folder of PNGs, a `.npy` or a `.npz` -> uint8 (N, H, W) per split."""

import collections
import dataclasses
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from amd_jax.data.dataset import SPLITS, split_90_5_5

NAMES = {split: (split,) for split in SPLITS} | {"validation": ("validation", "val")}
INTEGERS = ("1", "P", "L", "I", "I;16")  # modes of a PNG whose pixels are categories
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, zlib.error, zipfile.BadZipFile)

Palette = Sequence[Sequence[int]]  # RGB of every category, 0 to 255
VOID = 255  # what stands for it until the number of categories is known


@dataclasses.dataclass(frozen=True)
class Reading:
    """How the numbers of files become categories."""

    limit: int = 256  # numbers must be below it
    palette: Palette = ()
    void: int = -1  # the label of pixels without a category; none if negative
    size: tuple[int, ...] = ()  # (H, W) that maps are resized to; () for none

    def labels(self, maps: np.ndarray, where: str) -> np.ndarray:
        """Maps (N, H, W) as uint8, `VOID` where they are void; ValueError unless in [0, K)."""
        _check_kind(maps, where)
        maps = self.resized(maps)
        void = maps == self.void if self.void >= 0 else np.zeros((), bool)
        known = np.where(void, 0, maps) if void.any() else maps
        check(known, self.limit, lambda n: where if len(maps) == 1 else f"map {n} of {where}")
        found = known.astype(np.uint8, copy=False)
        return np.where(void, np.uint8(VOID), found) if void.any() else found

    def resized(self, maps: np.ndarray) -> np.ndarray:
        """Maps (N, H, W) at `size`, each pixel the nearest one."""
        if not self.size:
            return maps
        rows, columns = (
            (np.arange(new) + 0.5) * old // new
            for new, old in zip(self.size, maps.shape[1:], strict=True)
        )
        return maps[:, rows.astype(int)[:, None], columns.astype(int)]


def read(
    path: Path,
    num_classes: int = 0,
    palette: Palette = (),
    *,
    void: int = -1,
    size: tuple[int, ...] = (),
) -> tuple[dict[str, np.ndarray], int, np.ndarray]:
    """Split -> its maps, uint8 (N, H, W); K; and the colours in the files, uint8 (k, 3), k >= 0.

    Files come in order of their names. A `.npy` of uint8 stays on disk, mapped into memory.
    `num_classes` of 0 is read off the maps; void ones are the last of K.

    Raises:
        ValueError: if that cannot be; it names the file, and the row and column of a pixel.
    """
    most = 256 if void < 0 else VOID
    reading = Reading(min(num_classes or most, most), palette, void, size)
    splits, found = _read(path, reading)
    if void < 0:
        return splits, num_classes or max(2, _counted(splits, path)), found
    classes = num_classes or 1 + max(
        int(maps[maps != VOID].max(initial=0)) for maps in splits.values()
    )
    splits = {split: np.where(maps == VOID, classes, maps) for split, maps in splits.items()}
    return {split: maps.astype(np.uint8) for split, maps in splits.items()}, classes + 1, found


def _counted(splits: dict[str, np.ndarray], path: Path) -> int:
    """The number of categories; ValueError for a lone 255, which is rarely one."""
    every = (pixels for maps in splits.values() for pixels in maps)  # of a file that may be large
    counts = sum(np.bincount(pixels.reshape(-1), minlength=256) for pixels in every)
    *others, last = np.flatnonzero(counts)
    if last == VOID and VOID - 1 not in others:
        below = f"{others[-1]} and " if others else ""
        raise ValueError(
            f"Categories are numbered from 0 on; the last ones in {path} are {below}255, which "
            "often marks pixels without a category: void=255 makes it the last category. Or use "
            "num_classes=256."
        )
    return int(last) + 1


def _read(path: Path, reading: Reading) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Split -> its maps, and the colours in the files."""
    none = np.empty((0, 3), np.uint8)
    if path.is_dir():
        files = _files(path)
        everything = [file for found in files.values() for file in found]
        ends = np.cumsum([len(found) for found in files.values()])
        maps = np.split(_stack(everything, reading), ends[:-1])
        return dict(zip(files, maps, strict=True)), _palette(everything[0])
    if not path.is_file():
        raise ValueError(f"Maps are a folder or a file; found nothing at {path}. Check the path.")
    content = _load(path)
    if isinstance(content, np.ndarray):
        return _split(reading.labels(content, str(path)), path), none
    return {
        split: reading.labels(array, f"{split} in {path}")
        for split, array in _named(content, path).items()
    }, none


def check(maps: np.ndarray, num_classes: int, place: Callable[[int], str]) -> None:
    """Raise ValueError unless maps, integers (N, H, W), hold categories in [0, K) alone.

    `place(n)` says where map n is from.
    """
    outside = (maps.min(axis=(1, 2)) < 0) | (maps.max(axis=(1, 2)) >= num_classes)
    if outside.any():
        n = int(outside.argmax())
        row, column = np.argwhere((maps[n] < 0) | (maps[n] >= num_classes))[0]
        found = int(maps[n, row, column])
        instead = f", or use num_classes={found + 1}" if num_classes <= found < 256 else ""
        raise ValueError(
            f"Categories must be in [0, {num_classes}); got {found} in {place(n)} "
            f"at row {row}, column {column}. Number them from 0 on{instead}."
        )


def picture(file: Path, palette: Palette = ()) -> np.ndarray:
    """Categories of a PNG, integers (H, W): indices, greys, or places of colours in a palette.

    Raises:
        ValueError: if it cannot be read, or has colours that are not in the palette.
    """
    try:
        with Image.open(file) as image:
            mode, pixels = image.mode, np.asarray(image)
    except UNREADABLE as error:
        raise ValueError(
            f"A map must be a PNG; {file} cannot be read ({error}). Replace or remove it."
        ) from error
    if mode in ("RGB", "RGBA") and len(palette):
        return _places(pixels[..., :3], palette, file)
    if mode not in INTEGERS:
        raise ValueError(
            f"The pixels of a map must be categories; {file} holds {mode} colours. Save indices "
            "(mode P or L), or name the colours: palette=((0, 0, 0), (128, 64, 128), ...)."
        )
    return pixels


def _places(pixels: np.ndarray, palette: Palette, file: Path) -> np.ndarray:
    """RGB (H, W, 3) -> the place of every colour in the palette, (H, W)."""
    weights = np.array([1 << 16, 1 << 8, 1])
    place = {code: k for k, code in enumerate((np.array(palette) @ weights).tolist())}
    codes = pixels @ weights
    colours, inverse = np.unique(codes, return_inverse=True)
    for code in colours.tolist():
        if code not in place:
            row, column = np.argwhere(codes == code)[0]
            raise ValueError(
                f"Colours must be in the palette of {len(palette)}; got "
                f"{tuple(pixels[row, column].tolist())} in {file} at row {row}, column {column}. "
                "Add it to the palette, or save the maps without blending."
            )
    return np.array([place[code] for code in colours.tolist()])[inverse].reshape(codes.shape)


def _stack(files: Sequence[Path], reading: Reading) -> np.ndarray:
    """The maps of PNGs, uint8 (N, H, W)."""
    maps = []
    for file in files:
        labels = reading.labels(picture(file, reading.palette)[None], str(file))[0]
        if maps and labels.shape != maps[0].shape:
            sizes = [" x ".join(map(str, array.shape)) for array in (maps[0], labels)]
            raise ValueError(
                f"Maps must have one size (height x width); {files[0]} has {sizes[0]}, "
                f"{file} has {sizes[1]}. Resize them: size=({sizes[0].replace(' x ', ', ')})."
            )
        maps.append(labels)
    return np.stack(maps)


def _check_kind(maps: np.ndarray, where: str) -> None:
    """ValueError unless an array holds maps of integers."""
    if maps.ndim == 4 and maps.shape[-1] > 1 and (maps.sum(axis=-1) == 1).all():
        raise ValueError(
            f"A map holds the number of a category per pixel; {where} is one-hot, {maps.shape}. "
            "Save its argmax(axis=-1)."
        )
    if maps.dtype.kind not in "biu":
        raise ValueError(
            f"Categories must be integers; {where} holds {maps.dtype}. Save them as uint8."
        )
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(
            f"Maps must have shape (N, H, W); {where} has {maps.shape}. Save such an array."
        )


def _files(folder: Path) -> dict[str, Sequence[Path]]:
    """Split -> its PNGs: those of its subfolder, or a share of those in the folder itself."""
    subfolders = {
        split: [folder / name for name in names if (folder / name).is_dir()]
        for split, names in NAMES.items()
    }
    if not any(subfolders.values()):
        files = _pngs([folder])
        if not files:
            raise ValueError(
                f"Maps must be PNGs; found none in {folder}, which holds {_inside(folder)}. "
                "Check the path."
            )
        return _split(np.array(files), folder)
    files = {split: _pngs(folders) for split, folders in subfolders.items() if folders}
    for split in ("train", *files):
        if not files.get(split):
            raise ValueError(
                f"A split needs one map; found no PNG in {folder / ' or '.join(NAMES[split])}. "
                "Put some there, or all into one folder, which is then split 90/5/5."
            )
    return files


def _inside(folder: Path) -> str:
    """What a folder holds, in words, such as "3 .jpg, 1 folder"."""
    kinds = collections.Counter(
        "folder" if path.is_dir() else path.suffix or "file" for path in folder.iterdir()
    )
    return ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(3)) or "nothing"


def _pngs(folders: Sequence[Path]) -> list[Path]:
    files = (file for folder in folders for file in folder.iterdir())
    return sorted(f for f in files if f.suffix.lower() == ".png" and f.name[0] != ".")


def _split(maps: np.ndarray, path: Path) -> dict[str, np.ndarray]:
    """Maps, or their files, (N, ...) split 90/5/5 in order."""
    splits = split_90_5_5(maps)
    if not all(map(len, splits.values())):
        raise ValueError(
            f"Each split (90/5/5) needs one map, so {path} needs 11; found {len(maps)}. Use more, "
            "or split them yourself: train, validation and test (folders, or arrays of a .npz)."
        )
    return splits


def _palette(file: Path) -> np.ndarray:
    """The palette of a PNG, uint8 (k, 3); empty if it has none."""
    with Image.open(file) as image:
        return np.array(image.getpalette() or [], np.uint8).reshape(-1, 3)


def _load(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    """What a `.npy` or a `.npz` holds: one array, or several and their names."""
    try:
        content = np.load(path, mmap_mode="r")
        if isinstance(content, np.ndarray):
            return content
        with content:
            arrays = {name: np.asarray(content[name]) for name in content.files}
    except UNREADABLE as error:
        if "Python objects" in str(error) or "Object arrays" in str(error):
            raise ValueError(
                f"Maps are an array of integers (N, H, W); {path} holds Python objects, as of "
                "maps that differ in size. Resize them, and save one array."
            ) from error
        raise ValueError(
            f"Maps are a folder of PNGs, a .npy or a .npz; {path} cannot be read "
            f"({type(error).__name__}). Save them with numpy.save."
        ) from error
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


def _named(arrays: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Split -> its array."""
    found = {
        split: next(arrays[name] for name in names if name in arrays)
        for split, names in NAMES.items()
        if any(name in arrays for name in names)
    }
    if "train" not in found:
        raise ValueError(
            "A .npz must hold one array, or train and, where there are such, validation (or val) "
            f"and test; {path} holds {', '.join(arrays) or 'none'}. Save them under these names."
        )
    return found
