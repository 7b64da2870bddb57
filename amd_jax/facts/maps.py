"""Maps of categories: their colours and names, and perhaps a label of each map."""

import dataclasses
import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int32, Integer, Shaped
from numpy.typing import ArrayLike

from amd_jax.facts import map_rules
from amd_jax.facts.labels import Labelled
from amd_jax.facts.rows import Facts, listed
from amd_jax.host.printable import cut, in_one_line


@dataclasses.dataclass(frozen=True)
class MapFacts(Labelled, Facts):
    """Maps of H x W pixels, one of K categories each, perhaps with one of C labels.

    Without labels a row is a map (H, W) of tokens k < K. With labels it has 1 + H W tokens: the
    label c first, as the token K + c, then the pixels of the map, row after row.
    """

    unit: str = "pixel"
    palette: tuple[tuple[int, int, int], ...] = ()  # RGB of every category
    names: tuple[str, ...] = ()  # of the categories; none, or K
    labels: tuple[str, ...] = ()  # (C,)
    label_rule: str = ""  # that computes a map's label, as `map_rules.parse` reads it
    size: tuple[int, ...] = ()  # (H, W) of maps with labels; else the event has it

    kind: ClassVar[str] = "maps"
    rows: ClassVar[str] = "maps"
    num_samples: ClassVar[int] = 16

    def __post_init__(self):
        """Raises ValueError unless there is a colour for every category, and rows fit labels."""
        super().__post_init__()
        object.__setattr__(self, "size", tuple(int(n) for n in self.size))
        colours = tuple(tuple(int(part) for part in colour) for colour in self.palette)
        object.__setattr__(self, "palette", colours)
        self._check_labels()
        if len(self.map_shape) != 2:
            raise ValueError(f"A map has a height and a width; got {self.map_shape}.")
        if len(colours) != self.categories or not all(
            len(colour) == 3 and all(0 <= part <= 255 for part in colour) for colour in colours
        ):
            raise ValueError(
                f"A palette is a colour (red, green, blue), each 0 to 255, for each of "
                f"{self.categories} categories; that of {self.name} has {len(colours)}: "
                f"{str(colours):.60}."
            )
        if len(self.names) not in (0, self.categories):
            raise ValueError(
                f"Categories have {self.categories} names, or none; {self.name} has "
                f"{len(self.names)}."
            )
        if self.label_rule:
            map_rules.parse(self.label_rule, self.categories, self.names)  # or ValueError

    def _check_labels(self) -> None:
        """Raise ValueError unless labels differ, and rows have a place for one."""
        self.check_labels()
        if self.label_rule and self.labels != map_rules.LABELS:
            raise ValueError(
                f"A rule computes the labels {', '.join(map_rules.LABELS)}; {self.name} has "
                f"{self.labels!r:.200}."
            )
        if bool(self.labels) != bool(self.size):
            raise ValueError(
                f"Maps with labels have a size (H, W) beside the shape of a row; {self.name} has "
                f"{len(self.labels)} labels and size={self.size}."
            )
        if self.labels and self.event_shape != (1 + math.prod(self.size),):
            raise ValueError(
                f"A row of a label and a map of {self.size} has {1 + math.prod(self.size)} "
                f"tokens; that of {self.name} has the shape {self.event_shape}."
            )

    @property
    def categories(self) -> int:
        """K, of pixels; the other classes are labels."""
        return self.num_classes - len(self.labels)

    @property
    def first_label(self) -> int:
        """The token of label 0, after the categories."""
        return self.categories

    @property
    def map_shape(self) -> tuple[int, ...]:
        """(H, W)."""
        return self.size if self.labels else self.event_shape

    @property
    def rule(self) -> map_rules.Rule:
        """The rule that computes labels. ValueError without one."""
        return map_rules.parse(self.label_rule, self.categories, self.names)

    @property
    def classes(self) -> int:
        """What a pixel can be: K."""
        return self.categories

    @property
    def uniform_bits(self) -> float:
        """Bits of a pixel if all categories are alike."""
        return math.log2(self.categories)

    def lengths(self, x: np.ndarray) -> Integer[np.ndarray, "N"]:
        """The pixels of each row (N, ...): a label's bits are counted, but it is no pixel."""
        return np.full(len(x), math.prod(self.map_shape))

    def inside(self, x: np.ndarray) -> Bool[np.ndarray, "*shape"]:
        """Which tokens of rows (N, ...) are pixels."""
        return self.joined(np.zeros(len(x), bool), np.ones((len(x), *self.map_shape), bool))

    def maps(self, x: ArrayLike) -> Shaped[np.ndarray, "N H W"]:
        """The maps of rows (N, ...), whatever states they hold."""
        x = np.asarray(x)
        return x[:, 1:].reshape(len(x), *self.size) if self.labels else x

    def joined(
        self, first: Shaped[np.ndarray, "N"], maps: Shaped[np.ndarray, "N H W"]
    ) -> Shaped[np.ndarray, "N *event"]:
        """Rows of what stands at the label and what stands at the pixels, which are cast to it.

        Without labels these are the maps alone.
        """
        if not self.labels:
            return maps
        flat = maps.reshape(len(maps), -1)
        return np.concatenate([first[:, None].astype(flat.dtype), flat], axis=1)

    def have_label(self, x: np.ndarray) -> Bool[np.ndarray, "N"]:
        """Whether the rule computes the label of a row of its map, of each of rows (N, ...)."""
        return np.array([self.label(row) for row in x]) == self.labels_by_rule(self.maps(x))

    def labels_by_rule(self, maps: Integer[np.ndarray, "N H W"]) -> Shaped[np.ndarray, "N"]:
        """The label that the rule computes of each map. ValueError without a rule."""
        return np.array(self.labels)[self.rule.holds(maps).astype(int)]

    def row(self, pixels: Integer[np.ndarray, "H W"], label: str = "") -> Int32[np.ndarray, "..."]:
        """The tokens of a map, and of its label, in the shape of an event."""
        first = self.label_token(label) if self.labels else 0
        return self.joined(np.array([first]), np.asarray(pixels, np.int32)[None])[0]

    @property
    def colours(self) -> np.ndarray:
        """The palette as uint8 (K, 3)."""
        return np.array(self.palette, np.uint8)

    def summary(self, sizes: Mapping[str, int]) -> str:
        """The name, the sizes of the splits, the commonest categories, and labels."""
        height, width = self.map_shape
        line = f"{self.name}: {listed(sizes)} maps of {height} x {width} pixels"
        if not self.frequencies:
            return line
        of_pixels = np.array(self.frequencies[: self.categories])
        if self.labels:
            of_pixels /= of_pixels.sum()
        largest = np.sort(np.argsort(-of_pixels, kind="stable")[:16])
        shares = [f"{self._called(k)} {of_pixels[k]:.2%}" for k in largest.tolist()]
        more = [] if len(largest) == self.categories else ["..."]
        lines = [line, f"{self.categories} categories: {', '.join(shares + more)}"]
        if self.labels:
            by = f", {in_one_line(self.label_rule)} by rule" if self.label_rule else ""
            each = (f"{in_one_line(label)} {self.label_share(label):.1%}" for label in self.labels)
            lines.append(f"{len(self.labels)} labels{by}: {cut(', '.join(each), 200)}")
        return "\n".join(lines)

    def _called(self, category: int) -> str:
        return self.names[category] if self.names else str(category)
