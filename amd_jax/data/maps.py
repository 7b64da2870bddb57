"""Segmentation maps as a dataset: every pixel is one of K categories.

`load(path)` makes one of your own maps.
"""

import colorsys
import dataclasses
import functools
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from amd_jax.data.dataset import Source, Splits, epoch_rows, frequencies, generator
from amd_jax.data.reading import files, label_pngs, labels
from amd_jax.data.reading.label_pngs import Palette
from amd_jax.facts import MapFacts
from amd_jax.host.printable import in_one_line

PADDING = 0.07  # of each side, for the random crop
AUGMENTATION = 1 << 40  # no seed gets there, so this key never equals that of a permutation
# fmt: off
DISTINCT = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178),
    (213, 94, 0), (204, 121, 167), (255, 255, 255), (128, 128, 128), (120, 60, 20),
    (90, 0, 140),
)
# fmt: on
SHADES = ((1, 1), (0.6, 1), (1, 0.75), (1, 0.5))  # saturation and value of 64 hues each


@dataclasses.dataclass(frozen=True, eq=False)
class Maps:
    """Maps of H x W pixels, category 0, ..., K - 1 each; only what is trained on is augmented."""

    num_classes: int  # K
    event_shape: tuple[int, int]  # (H, W)
    maps: Mapping[str, Source]  # split -> maps (N, H, W) uint8, or a function that reads them
    palette: np.ndarray  # RGB of the categories, (K, 3)
    name: str = "maps"
    names: tuple[str, ...] = ()  # of the categories; none, or K
    augment: bool = False

    def __post_init__(self):
        """Raises ValueError for what can be known without the data."""
        if not 2 <= self.num_classes <= 256:
            raise ValueError(f"Maps have 2 to 256 categories; got {self.num_classes}.")
        _ = self.bare_facts

    @functools.cached_property
    def facts(self) -> MapFacts:
        """What a model needs to know of the maps; the frequencies are read off them."""
        shares = frequencies(self.rows("train"), self.num_classes)
        return dataclasses.replace(self.bare_facts, frequencies=shares)

    @property
    def bare_facts(self) -> MapFacts:
        """The facts without frequencies, which the data are not needed for."""
        return MapFacts(
            num_classes=self.num_classes,
            event_shape=self.event_shape,
            name=self.name,
            palette=tuple(map(tuple, np.asarray(self.palette).tolist())),
            names=self.names,
        )

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return self._splits.names

    def rows(self, split: str) -> np.ndarray:
        """Every map of a split, in order and never augmented: uint8 (N, H, W).

        Raises:
            ValueError: the first time, unless the split holds such maps of categories in [0, K).
        """

        def check(maps: np.ndarray) -> None:
            if maps.dtype != np.uint8 or maps.shape[1:] != self.event_shape or not len(maps):
                height, width = self.event_shape
                raise ValueError(
                    f"A split is maps, uint8 (N, {height}, {width}); {split} of {self.name} is "
                    f"{maps.dtype} {maps.shape}. Give it one map or more, of this size."
                )
            labels.check(maps, self.num_classes, lambda n: f"map {n} of {split} of {self.name}")

        return self._splits(split, check)

    def batch(
        self, seed: int, step: int, batch_size: int, part: slice = slice(None)
    ) -> np.ndarray:
        """Training maps, uint8 (B, H, W): see `Dataset`."""
        maps = self.rows("train")
        if len(maps) < batch_size:
            raise ValueError(
                f"A batch needs as many training maps; {self.name} has {len(maps)}, fewer than "
                f"{batch_size}. Use batch_size={len(maps)} or less."
            )
        x = maps[epoch_rows(seed, step, batch_size, len(maps), part)]
        return augmented(x, seed, step, batch_size, part) if self.augment else x

    @functools.cached_property
    def _splits(self) -> Splits:
        return Splits(self.maps, self.name)


def augmented(
    x: np.ndarray, seed: int, step: int, batch_size: int, part: slice = slice(None)
) -> np.ndarray:
    """Maps of a batch, each shifted by up to 7 % of its sides, half of them mirrored: (b, H, W).

    That is: padded by repeating the edge, cropped at random, and flipped left to right with
    probability 1/2. What befalls a map is a pure function of (seed, step) and of its place in
    the batch; x (b, H, W) is the `part` of it. Hoogeboom et al., 2021, released code.
    """
    (height, width), rng = x.shape[1:], generator(AUGMENTATION + seed, step)
    pad_rows, pad_columns = round(PADDING * height), round(PADDING * width)
    down = rng.integers(-pad_rows, pad_rows + 1, size=(batch_size, 1))[part]
    right = rng.integers(-pad_columns, pad_columns + 1, size=(batch_size, 1))[part]
    mirrored = (rng.random((batch_size, 1)) < 0.5)[part]
    rows = np.clip(np.arange(height) + down, 0, height - 1)  # clipping repeats the edge
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    columns = np.where(mirrored, columns[:, ::-1], columns)
    return x[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]


def colours(num_classes: int) -> np.ndarray:
    """Colours for categories that have none, uint8 (K, 3), K <= 256: twelve by hand, then hues.

    The first of them are the same for every K. Eight of the twelve, which most colour-blind
    people tell apart, are from Okabe and Ito, 2008, "Color universal design".
    """
    spread = []
    for k in range(num_classes - len(DISTINCT)):
        turn = int(f"{k % 64:06b}"[::-1], 2) / 64  # 0, 1/2, 1/4, 3/4, ...: halves every gap
        spread.append(colorsys.hsv_to_rgb(turn, *SHADES[k // 64]))
    hues = np.rint(255 * np.array(spread)).reshape(-1, 3)
    return np.concatenate([DISTINCT, hues]).astype(np.uint8)[:num_classes]


def load(
    path: str | Path,
    num_classes: int = 0,
    augment: bool = True,
    palette: Palette = (),
    void: int = -1,
    size: Sequence[int] = (),
    without: Sequence[str] = (),
) -> Maps:
    """Your own maps: a folder of PNGs, or an array (N, H, W) of integers, `.npy` or `.npz`.

    A folder holds the PNGs of all maps, or subfolders train, validation (or val) and test; a
    `.npz` one array, or one of each name. Otherwise the split is 90/5/5 in order. A PNG holds a
    category per pixel, as an index (whose palette gives the colours) or as a grey; RGB needs a
    `palette`, the colour of every category. `num_classes` of 0 is read off the maps. The label
    `void`, often 255, becomes one category more, the last. With a `size` (H, W) maps are resized
    to it, each pixel the nearest one. Arrays of a `.npz` that are `without` are no maps.

    Raises:
        ValueError: for other files, maps that differ in size, or unknown categories.
    """
    _check(num_classes, palette)
    check_size(size)
    file = files.expanded(path).absolute()
    splits, known, result = labels.read(
        file,
        num_classes or len(palette),
        palette,
        void=void,
        size=tuple(size),
        without=without,
    )
    given = np.array(palette, np.uint8) if len(palette) else result[:known]
    own = np.concatenate([given, colours(known)[len(given) :]])
    if void >= 0:
        own[-1] = 0  # void is black
    shape = next(iter(splits.values())).shape[1:]
    data = Maps(known, shape, splits, own, name=in_one_line(file.name), augment=augment)
    for split in data.splits:
        data.rows(split)  # so that a mistake is reported now
    return data


def _check(num_classes: int, palette: Palette) -> None:
    """Raise ValueError for a number of categories, or a palette, that cannot be."""
    fit = isinstance(num_classes, numbers.Integral) and 2 <= num_classes <= 256
    if num_classes != 0 and not fit:
        raise ValueError(
            f"Maps have 2 to 256 categories; got num_classes={num_classes}. Use num_classes=0, "
            "which reads the number off the maps."
        )
    listed = list(palette) if isinstance(palette, Iterable) else [palette]
    fit = all(_integers(colour, 3) and 0 <= min(colour) <= max(colour) <= 255 for colour in listed)
    if not fit or len(set(map(tuple, listed))) != ((num_classes if listed else 0) or len(listed)):
        raise ValueError(
            "A palette is a colour (red, green, blue), each 0 to 255, for every category, and "
            f"none twice; got {len(listed)} with num_classes={num_classes}: "
            f"{str(tuple(listed)):.60}."
        )


def _integers(values: object, number: int) -> bool:
    """Whether these are so many integers."""
    if not isinstance(values, Sequence | np.ndarray) or len(values) != number:
        return False
    return all(
        isinstance(value, numbers.Integral) and not isinstance(value, bool) for value in values
    )


def check_size(size: Sequence[int]) -> None:
    """Raise ValueError unless maps can be resized to a size, or keep theirs: ()."""
    fit = _integers(size, 2) and min(size) > 0 and math.prod(size) <= label_pngs.MOST_PIXELS
    if not fit and not _integers(size, 0):
        raise ValueError(
            f"A size is (height, width), at most {label_pngs.MOST_PIXELS:,} pixels; got "
            f"{str(size):.60}. Use such as size=(32, 64), or size=() to keep that of the files."
        )
