"""Reads label maps: a folder of PNGs, a `.npy` or a `.npz` -> uint8 (N, H, W) per split."""

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from amd_jax.data.reading import arrays, files, label_pngs, splitting
from amd_jax.data.reading.label_pngs import Palette, picture
from amd_jax.host import memory

BLOCK = 1 << 22  # pixels that are looked at at a time
VOID = 255  # what stands for it until the number of categories is known


@dataclasses.dataclass(frozen=True)
class Reading:
    """How the numbers of files become categories."""

    limit: int = 256  # numbers must be below it
    palette: Palette = ()
    void: int = -1  # the label of pixels without a category; none if negative
    size: tuple[int, ...] = ()  # (H, W) that maps are resized to; () for none

    def labels(self, maps: np.ndarray, where: str) -> np.ndarray:
        """Maps (N, H, W) as uint8, `VOID` where they are void; ValueError unless in [0, K).

        Those that need no change stay what they are, such as a file mapped into memory.
        """
        if maps.dtype == np.uint8 and not self.size and self.void < 0:
            check(maps, self.limit, functools.partial(_nth, 0, maps, where))
            return maps
        result = self.empty(maps.shape, where)
        for part in blocks(len(maps), max(maps[0].size, result[0].size)):
            block = self.resized(maps[part])
            void = block == self.void if self.void >= 0 else np.zeros((), bool)
            known = np.where(void, 0, block) if void.any() else block
            check(known, self.limit, functools.partial(_nth, part.start, maps, where))
            result[part] = known
            result[part][np.broadcast_to(void, block.shape)] = VOID
        return result

    def empty(self, shape: tuple[int, ...], where: str) -> np.ndarray:
        """Room for maps (N, H, W), at `size`, uint8; ValueError if memory has none."""
        shape = (shape[0], *(self.size or shape[1:]))
        memory.check(
            math.prod(shape),
            f"The maps of {where}",
            "Make them smaller (size=(32, 64)), or save a .npy of uint8, which stays on the disk.",
        )
        return np.empty(shape, np.uint8)

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
    without: Collection[str] = (),
) -> tuple[dict[str, np.ndarray], int, np.ndarray]:
    """Split -> its maps, uint8 (N, H, W); K; and the colours in the files, uint8 (k, 3), k >= 0.

    Files come in order of their names. A `.npy` of uint8 stays on disk, mapped into memory.
    `num_classes` of 0 is read off the maps; void ones are the last of K. Arrays of a `.npz` that
    are `without` are no maps.

    Raises:
        ValueError: if that cannot be; it names the file, and the row and column of a pixel.
    """
    most = 256 if void < 0 else VOID
    reading = Reading(min(num_classes or most, most), palette, void, size)
    splits, result = _read(path, reading, without)
    if void < 0:
        return splits, num_classes or max(2, _counted(splits, path)), result
    classes = num_classes or 1 + max(
        int(maps[maps != VOID].max(initial=0)) for maps in splits.values()
    )
    for maps in splits.values():
        for part in blocks(len(maps), maps[0].size):
            maps[part][maps[part] == VOID] = classes
    return splits, classes + 1, result


def _counted(splits: dict[str, np.ndarray], path: Path) -> int:
    """The number of categories; ValueError for a lone 255, which is rarely one."""
    counts = np.zeros(256, np.int64)
    for maps in splits.values():
        for part in blocks(len(maps), maps[0].size):
            pixels = maps[part].reshape(-1)
            for i in range(0, len(pixels), BLOCK):  # a single map may be large
                counts += np.bincount(pixels[i : i + BLOCK], minlength=256)
    *others, last = np.flatnonzero(counts)
    if last == VOID and VOID - 1 not in others:
        below = f"{others[-1]} and " if others else ""
        raise ValueError(
            f"Categories are numbered from 0 on; the last ones in {path} are {below}255, which "
            "often marks pixels without a category: void=255 makes it the last category. Or use "
            "num_classes=256."
        )
    return int(last) + 1


def _read(
    path: Path, reading: Reading, without: Collection[str] = ()
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Split -> its maps, and the colours in the files."""
    none = np.empty((0, 3), np.uint8)
    if path.is_dir():
        pngs = splitting.files(path)
        everything = [file for result in pngs.values() for file in result]
        ends = np.cumsum([len(result) for result in pngs.values()])
        parts = np.split(_stack(everything, path, reading), ends[:-1])
        return dict(zip(pngs, parts, strict=True)), label_pngs.colours(everything[0])
    files.check_file(path, "Maps are a folder or a file")
    stored = _stored(path, without)
    where = {split: f"{split} in {path}" if split else str(path) for split in stored}
    for split, array in stored.items():
        _check_kind(array, where[split])
    maps = {
        split: reading.labels(result.array(), where[split]) for split, result in stored.items()
    }
    return splitting.shared(maps[""], path) if "" in maps else maps, none


def blocks(number: int, pixels: int) -> Iterator[slice]:
    """Places of maps of so many pixels, about `BLOCK` pixels together, or one map."""
    step = max(1, BLOCK // pixels)
    return (slice(i, min(i + step, number)) for i in range(0, number, step))


def check(maps: np.ndarray, num_classes: int, origin: Callable[[int], str]) -> None:
    """Raise ValueError unless maps, integers (N, H, W), hold categories in [0, K) alone.

    `place(n)` says where map n is from.
    """
    for part in blocks(len(maps), math.prod(maps.shape[1:])):
        block = maps[part]
        if block.min() >= 0 and block.max() < num_classes:
            continue
        outside = (block < 0) | (block >= num_classes)
        n, row, column = np.unravel_index(outside.argmax(), block.shape)
        result = int(block[n, row, column])
        instead = f", or use num_classes={result + 1}" if num_classes <= result < 256 else ""
        raise ValueError(
            f"Categories must be in [0, {num_classes}); got {result} in {origin(part.start + n)} "
            f"at row {row}, column {column}. Number them from 0 on{instead}."
        )


def _nth(start: int, maps: np.ndarray, where: str, n: int) -> str:
    """Where map n from a start on, of some maps (N, H, W), is from."""
    return where if len(maps) == 1 else f"map {start + n} of {where}"


def _stack(pngs: Sequence[Path], folder: Path, reading: Reading) -> np.ndarray:
    """The maps of PNGs, uint8 (N, H, W). Their headers are read first, which tell the sizes."""
    shapes = [label_pngs.shape(file) for file in pngs]
    for file, shape in zip(pngs, shapes, strict=True):
        if not reading.size and shape != shapes[0]:
            sizes = [" x ".join(map(str, sides)) for sides in (shapes[0], shape)]
            raise ValueError(
                f"Maps must have one size (height x width); {pngs[0]} has {sizes[0]}, "
                f"{file} has {sizes[1]}. Resize them: size=({sizes[0].replace(' x ', ', ')})."
            )
    maps = reading.empty((len(pngs), *shapes[0]), str(folder))
    for n, file in enumerate(pngs):
        maps[n] = reading.labels(picture(file, reading.palette)[None], str(file))[0]
    return maps


def _stored(path: Path, without: Collection[str] = ()) -> dict[str, arrays.Stored]:
    """Split -> its array in a `.npz`; "" -> the only one, or that of a `.npy`."""
    if not arrays.is_archive(path):
        return {"": arrays.single(path)}
    names = [name for name in arrays.names(path) if name not in without]
    chosen = {"": names[0]} if len(names) == 1 else splitting.named(names, path)
    return dict(zip(chosen, arrays.several(path, list(chosen.values())), strict=True))


def _check_kind(stored: arrays.Stored, where: str) -> None:
    """ValueError unless an array of such a header holds maps of integers."""
    shape, printed = stored.shape, files.printable(str(stored.shape))
    if len(shape) == 4 and 1 < shape[-1] <= 256:
        raise ValueError(
            f"A map holds the number of a category per pixel; {where} is coloured or one-hot, "
            f"{printed}. Save its argmax(axis=-1) if it is one-hot."
        )
    if stored.dtype.kind not in "biu":
        kind = files.printable(str(stored.dtype))
        raise ValueError(f"Categories must be integers; {where} holds {kind}. Save them as uint8.")
    if len(shape) != 3 or 0 in shape:
        raise ValueError(
            f"Maps must have shape (N, H, W); {where} has {printed}. Save such an array."
        )
    if math.prod(shape[1:]) > label_pngs.MOST_PIXELS:
        raise ValueError(
            f"A map has at most {label_pngs.MOST_PIXELS:,} pixels; {where} has {printed}. "
            "Cut it in tiles."
        )
