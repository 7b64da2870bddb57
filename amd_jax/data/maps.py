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
from amd_jax.data.reading import files, label_pngs, labels, map_labels
from amd_jax.data.reading.label_pngs import Palette
from amd_jax.facts import MapFacts, map_rules
from amd_jax.host.printable import cut, in_one_line

MOST_LABELS = 128
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
    """Maps of H x W pixels, category 0, ..., K - 1 each; only what is trained on is augmented.

    Labels make rows of 1 + H W tokens: see `MapFacts`. They are given by split, or a rule computes
    them: of a map that is augmented from what has become of it.
    """

    num_classes: int  # K
    event_shape: tuple[int, int]  # (H, W)
    maps: Mapping[str, Source]  # split -> maps (N, H, W) uint8, or a function that reads them
    palette: np.ndarray  # RGB of the categories, (K, 3)
    name: str = "maps"
    names: tuple[str, ...] = ()  # of the categories; none, or K
    augment: bool = False
    labels: tuple[str, ...] = ()  # (C,)
    label_rule: str = ""  # that computes them, if one does
    of_maps: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    # split -> the label of each map, integers (N,) in [0, C), unless a rule computes them

    def __post_init__(self):
        """Raises ValueError for what can be known without the data."""
        if not 2 <= self.num_classes <= 256:
            raise ValueError(f"Maps have 2 to 256 categories; got {self.num_classes}.")
        self._facts(())

    @functools.cached_property
    def facts(self) -> MapFacts:
        """What a model needs to know of the maps; the frequencies are read off them."""
        num_classes = self.num_classes + len(self.labels)
        return self._facts(frequencies(self.rows("train"), num_classes))

    def _facts(self, shares: tuple[float, ...]) -> MapFacts:
        shape = tuple(self.event_shape)
        return MapFacts(
            num_classes=self.num_classes + len(self.labels),
            event_shape=(1 + math.prod(shape),) if self.labels else shape,
            name=self.name,
            frequencies=shares,
            palette=tuple(map(tuple, np.asarray(self.palette).tolist())),
            names=self.names,
            labels=self.labels,
            label_rule=self.label_rule,
            size=shape if self.labels else (),
        )

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return self._splits.names

    def rows(self, split: str) -> np.ndarray:
        """Every row of a split, in order and never augmented: maps, perhaps with a label.

        Raises:
            ValueError: the first time, unless the split holds such maps, and labels of them.
        """
        if not self.labels:
            return self.unlabelled(split)
        if split not in self._labelled:
            maps = self.unlabelled(split)
            self._labelled[split] = self._rows(maps, self._given(split))
        return self._labelled[split]

    def unlabelled(self, split: str) -> np.ndarray:
        """The maps of a split without labels: uint8 (N, H, W).

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
        """Training rows, maps (B, H, W) or (B, 1 + H W) with labels: see `Dataset`."""
        maps = self.unlabelled("train")
        if len(maps) < batch_size:
            raise ValueError(
                f"A batch needs as many training maps; {self.name} has {len(maps)}, fewer than "
                f"{batch_size}. Use batch_size={len(maps)} or less."
            )
        places = epoch_rows(seed, step, batch_size, len(maps), part)
        x = maps[places]
        x = augmented(x, seed, step, batch_size, part) if self.augment else x
        if not self.labels:
            return x
        given = self._given("train")
        return self._rows(x, None if given is None else given[places])

    def _rows(self, maps: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        """Rows (N, 1 + H W) of maps with the labels that are given, or that the rule computes."""
        if given is None:
            given = self._rule.holds(maps)
        flat = maps.reshape(len(maps), -1).astype(self._kind)
        return np.concatenate([(self.num_classes + given).astype(self._kind)[:, None], flat], 1)

    def _given(self, split: str) -> np.ndarray | None:
        """The labels of the maps of a split, integers (N,); None if a rule computes them."""
        if self.label_rule:
            return None
        result, maps = np.asarray(self.of_maps.get(split, ())), self.unlabelled(split)
        if result.shape != (len(maps),) or not all(0 <= c < len(self.labels) for c in {*result}):
            raise ValueError(
                f"Each map of {split} of {self.name} has one of {len(self.labels)} labels; got "
                f"labels of shape {result.shape} for {len(maps):,} maps."
            )
        return result.astype(int)

    @functools.cached_property
    def _rule(self) -> map_rules.Rule:
        return self._facts(()).rule

    @property
    def _kind(self) -> type[np.unsignedinteger]:
        """What holds a token."""
        return np.uint8 if self.num_classes + len(self.labels) <= 256 else np.uint16

    @functools.cached_property
    def _labelled(self) -> dict[str, np.ndarray]:
        """Rows with labels by split, as they are asked for."""
        return {}

    @functools.cached_property
    def _splits(self) -> Splits:
        return Splits(self.maps, self.name)


def by_rule(data: Maps, label: str) -> Maps:
    """The same maps with a label that a rule computes: "with" a category, or "without".

    Raises:
        ValueError: for an unknown category, or if all training maps have one label.
    """
    result = dataclasses.replace(data, labels=map_rules.LABELS, label_rule=label)
    holds = result._rule.holds(data.unlabelled("train"))
    if holds.all() or not holds.any():
        raise ValueError(
            f"A label differs from map to map; all training maps of {data.name} are "
            f"{map_rules.LABELS[int(holds.all())]!r} by the rule {in_one_line(label)!r:.60}. Give "
            "another category, or a number of pixels, as human>=20."
        )
    return result


def with_labels(data: Maps, texts: Mapping[str, Sequence[str]]) -> Maps:
    """The same maps, each with the label that is given for its split and place.

    Raises:
        ValueError: unless each map has one, and there are 2 to 128.
    """
    found = {text for split in texts.values() for text in split}
    is_number = all(text.isdecimal() for text in found)
    names = sorted(found, key=lambda text: (len(text) if is_number else 0, text))
    if not 2 <= len(names) <= MOST_LABELS:
        raise ValueError(
            f"Maps have 2 to {MOST_LABELS} labels; {data.name} has {len(names):,}. Use others, or "
            "join some."
        )
    places = {name: n for n, name in enumerate(names)}
    of_maps = {split: np.array([places[text] for text in texts.get(split, ())]) for split in texts}
    result = dataclasses.replace(data, labels=tuple(names), of_maps=of_maps)
    for split in result.splits:
        result.rows(split)  # or ValueError
    return result


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
    label: str = "",
) -> Maps:
    """Your own maps: a folder of PNGs, or an array (N, H, W) of integers, `.npy` or `.npz`.

    A folder holds the PNGs of all maps, or subfolders train, validation (or val) and test; a
    `.npz` one array, or one of each name. Otherwise the split is 90/5/5 in order. A PNG holds a
    category per pixel, as an index (whose palette gives the colours) or as a grey; RGB needs a
    `palette`, the colour of every category. `num_classes` of 0 is read off the maps. The label
    `void`, often 255, becomes one category more, the last. With a `size` (H, W) maps are resized
    to it, each pixel the nearest one. A `label` is a column of labels.csv beside the PNGs, or an
    array of the `.npz`, such as `train_label`; else a rule: see `by_rule`.

    Raises:
        ValueError: for other files, maps that differ in size, or unknown categories.
    """
    _check(num_classes, palette)
    check_size(size)
    file = files.expanded(path).absolute()
    own = map_labels.names(file) if label else []
    is_array = label in own and not file.is_dir()
    splits, known, result = labels.read(
        file,
        num_classes or len(palette),
        palette,
        void=void,
        size=tuple(size),
        without=[*map_labels.arrays_of(file, label).values()] if is_array else (),
    )
    given = np.array(palette, np.uint8) if len(palette) else result[:known]
    palette = np.concatenate([given, colours(known)[len(given) :]])
    if void >= 0:
        palette[-1] = 0  # void is black
    shape = next(iter(splits.values())).shape[1:]
    data = Maps(known, shape, splits, palette, name=in_one_line(file.name), augment=augment)
    for split in data.splits:
        data.rows(split)  # so that a mistake is reported now
    if label in own:
        return with_labels(data, map_labels.read(file, label))
    try:
        return by_rule(data, label) if label else data
    except ValueError as error:
        listed = cut(in_one_line(", ".join(own)), 100)
        raise ValueError(f"{error} Labels of {data.name} are {listed or 'none'}.") from error


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
