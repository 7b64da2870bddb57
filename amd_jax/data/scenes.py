"""Embedded maps, drawn from a seed, so that a first run needs no files."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from amd_jax.data import cityscapes, labelled_maps, maps
from amd_jax.data.dataset import SPLITS, Source, generator
from amd_jax.data.labelled_maps import LabelledMaps
from amd_jax.data.maps import Maps, colours
from amd_jax.host import memory

ROWS = {"train": 2000, "validation": 200, "test": 200}
VOID, FLAT, CONSTRUCTION, OBJECT, NATURE, SKY, HUMAN, VEHICLE = range(cityscapes.NUM_CLASSES)


def load(
    scene: str, size: Sequence[int] = (), label: str = "", augment: bool = True
) -> Maps | LabelledMaps:
    """Scenes by their name, "streets" or "squares", drawn at a `size` (H, W), () for the usual.

    `augment` is of streets; a `label` is by rule: see `labelled_maps.by_rule`.

    Raises:
        ValueError: for another name, or a size that is too small.
    """
    if scene not in SCENES:
        raise ValueError(f"A scene is one of {', '.join(SCENES)}; got {scene!r:.60}.")
    maps.check_size(size)
    kwargs: dict[str, Any] = dict(zip(("height", "width"), size, strict=False))
    if scene == "streets":
        kwargs["augment"] = augment
    data = SCENES[scene](**kwargs)
    return labelled_maps.by_rule(data, label) if label else data


def squares(height: int = 32, width: int = 32, num_classes: int = 4) -> Maps:
    """Maps of a background, category 0, and one to four filled squares of the other categories.

    Size, place and category are uniform, and later squares hide earlier ones.
    """

    def draw(rng: np.random.Generator) -> np.ndarray:
        image, shortest = np.zeros((height, width), np.uint8), min(height, width)
        for _ in range(rng.integers(1, 5)):
            side = rng.integers(shortest // 8, shortest // 2, endpoint=True)
            top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
            image[top : top + side, left : left + side] = rng.integers(1, num_classes)
        return image

    shape = _checked(height, width, least=8)
    return Maps(num_classes, shape, _drawn(draw), colours(num_classes), name="squares")


def streets(height: int = 32, width: int = 64, augment: bool = True) -> Maps:
    """Maps of streets as a driver sees them, in the categories and colours of Cityscapes."""
    shape = _checked(height, width, least=16)
    return Maps(
        cityscapes.NUM_CLASSES,
        shape,
        _drawn(lambda rng: _Street(rng, height, width).draw()),
        cityscapes.PALETTE,
        name="streets",
        names=cityscapes.NAMES,
        augment=augment,
    )


def _checked(height: int, width: int, least: int) -> tuple[int, int]:
    if min(height, width) < least:
        raise ValueError(
            f"A scene needs {least} x {least} pixels; got height={height} and width={width}."
        )
    size = 2 * ROWS["train"] * height * width  # one by one, and then as one array
    memory.check(size, "The maps", "Use a smaller height and width.")
    return height, width


def _drawn(draw: Callable[[np.random.Generator], np.ndarray]) -> dict[str, Source]:
    """Split -> its maps (N, H, W): map i of a split is a pure function of (split, i)."""

    def read(seed: int, split: str) -> np.ndarray:
        return np.stack([draw(generator(seed, i)) for i in range(ROWS[split])])

    return {split: functools.partial(read, seed, split) for seed, split in enumerate(SPLITS)}


class _Street:
    """One street, drawn from far to near through a pinhole.

    The unit is the height of the camera, about 1.3 m. At the distance where that unit takes
    `scale` pixels, what is `aside` of the camera stands on row `horizon + scale` and column
    `middle + aside * scale`.
    """

    def __init__(self, rng: np.random.Generator, height: int, width: int):
        self.rng = rng
        self.image = np.full((height, width), SKY, np.uint8)
        self.row, self.column = np.ogrid[:height, :width]
        self.horizon = height * rng.uniform(0.38, 0.48)
        self.middle = width * rng.normal(0.5, 0.06)
        self.near = height - self.horizon  # scale at the bottom edge
        self.walls = rng.uniform((-7.5, 3.5), (-3.5, 7.5))  # how far aside they are

    def draw(self) -> np.ndarray:
        """Categories, uint8 (H, W)."""
        self.image[int(self.horizon) :] = FLAT
        for aside in self.walls:
            self._wall(aside)
        self._end()
        for draw, scale, aside in self._things():
            draw(scale, aside)
        self._hood()
        return self.image

    def _things(self) -> Iterator[tuple[Callable, float, float]]:
        """(what draws it, scale, how far aside) of all that stands in the street, far to near."""
        rng = self.rng
        known = (
            (self._car, (0.2, 0.55, 0.75)),  # parked
            (self._car, (0.1, 0.0, 0.45)),  # on the road
            (self._tree, (0.25, 0.75, 1.0)),
            (self._pole, (0.25, 0.65, 0.9)),
            (self._human, (0.2, 0.5, 0.95)),
        )
        shares, low, high = np.array([numbers for _, numbers in known]).T
        number = rng.integers(8, 22)
        kinds = rng.choice(len(known), size=number, p=shares)
        scales = self.near * np.exp(np.sort(rng.uniform(-2.8, -0.25, size=number)))
        walls = np.array(self.walls)[rng.integers(2, size=number)]
        asides = walls * rng.uniform(low[kinds], high[kinds])
        for kind, scale, aside in zip(kinds, scales.tolist(), asides.tolist(), strict=True):
            yield known[kind][0], scale, aside

    def _wall(self, aside: float) -> None:
        """Houses and greenery along one side, and a verge before them."""
        rng, distance = self.rng, self.column - self.middle
        scale = np.maximum(distance / aside, 0)  # of the wall at each column; 0 across the street
        ends = self.near * np.exp(-np.cumsum(rng.uniform(0.1, 0.7, size=6)))[::-1]
        segment = np.searchsorted(ends, scale)
        green = rng.random(7) < rng.uniform(0, 0.8)
        tall = np.where(green, rng.uniform(1.5, 5, size=7), rng.uniform(2.5, 9, size=7))
        ragged = green[segment] * rng.normal(0, 0.5, size=scale.shape)
        top = self.horizon + np.minimum(scale * (1 - tall[segment] + ragged), -1)
        kinds = np.where(green, NATURE, CONSTRUCTION).astype(np.uint8)[segment]
        if rng.random() < 0.35:
            depth = self.row - self.horizon
            self.image[(depth > 0) & (scale > 0.75 * depth)] = NATURE
        wall = (scale > 0) & (self.row >= top) & (self.row < self.horizon + scale)
        np.copyto(self.image, kinds, where=wall)

    def _end(self) -> None:
        """What closes the street."""
        rng, far = self.rng, 0.05 * self.near
        category = NATURE if rng.random() < 0.5 else CONSTRUCTION
        self._box(category, 0, far, rng.uniform(8, 16), rng.uniform(2, 7))

    def _car(self, scale: float, aside: float) -> None:
        """A car, and one of ten times a van, from its far end to its near end."""
        wide, tall = (1.7, 1.7) if self.rng.random() < 0.1 else (1.4, 1.1)
        for part in (0.7, 0.8, 0.9, 1):
            self._box(VEHICLE, aside, part * scale, wide, 0.65 * tall)
            self._box(VEHICLE, aside, part * scale, 0.75 * wide, tall)

    def _human(self, scale: float, aside: float) -> None:
        self._box(HUMAN, aside, scale, 0.45, 1.05)
        self._box(HUMAN, aside, scale, 0.2, 1.3)

    def _pole(self, scale: float, aside: float) -> None:
        tall = self.rng.uniform(2, 4.5)
        self._box(OBJECT, aside, scale, 0.1, tall)
        self._box(OBJECT, aside, scale, 0.55, self.rng.uniform(0.3, 0.9), tall - 0.5)

    def _tree(self, scale: float, aside: float) -> None:
        tall, radius = self.rng.uniform(2, 3.5), self.rng.uniform(0.8, 1.6)
        self._box(NATURE, aside, scale, 0.25, tall)
        across = (self.column - self.middle - aside * scale) / (radius * scale)
        along = (self.row - self.horizon - scale * (1 - tall)) / (0.9 * radius * scale)
        self.image[across**2 + along**2 < 1] = NATURE

    def _box(
        self, category: int, aside: float, scale: float, wide: float, tall: float, lift: float = 0
    ) -> None:
        """A box that faces the camera, `lift` above the ground; one pixel at least."""
        left = round(self.middle + scale * (aside - wide / 2))
        bottom = round(self.horizon + scale * (1 - lift))
        right, top = left + max(1, round(scale * wide)), bottom - max(1, round(scale * tall))
        self.image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = category

    def _hood(self) -> None:
        """The own car at the bottom edge."""
        height, width = self.image.shape
        across = (self.column - width * self.rng.uniform(0.45, 0.55)) / (0.48 * width)
        along = (height - self.row) / (height * self.rng.uniform(0.06, 0.16))
        self.image[across**2 + along**2 < 1] = VOID


SCENES: dict[str, Callable[..., Maps]] = {"streets": streets, "squares": squares}
