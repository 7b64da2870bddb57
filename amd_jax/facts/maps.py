"""Maps of categories: their colours and names."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from amd_jax.facts.rows import Facts, listed


@dataclasses.dataclass(frozen=True)
class MapFacts(Facts):
    """Maps of H x W pixels, a category each."""

    unit: str = "pixel"
    palette: tuple[tuple[int, int, int], ...] = ()  # RGB of every category
    names: tuple[str, ...] = ()  # of the categories; none, or K

    kind: ClassVar[str] = "maps"
    rows: ClassVar[str] = "maps"
    num_samples: ClassVar[int] = 16

    def __post_init__(self):
        """Raises ValueError unless there is a colour for every category."""
        super().__post_init__()
        colours = tuple(tuple(int(part) for part in colour) for colour in self.palette)
        object.__setattr__(self, "palette", colours)
        if len(self.event_shape) != 2:
            raise ValueError(f"A map has a height and a width; got {self.event_shape}.")
        if len(colours) != self.num_classes or not all(
            len(colour) == 3 and all(0 <= part <= 255 for part in colour) for colour in colours
        ):
            raise ValueError(
                f"A palette is a colour (red, green, blue), each 0 to 255, for each of "
                f"{self.num_classes} categories; that of {self.name} has {len(colours)}: "
                f"{str(colours):.60}."
            )
        if len(self.names) not in (0, self.num_classes):
            raise ValueError(
                f"Categories have {self.num_classes} names, or none; {self.name} has "
                f"{len(self.names)}."
            )

    @property
    def colours(self) -> np.ndarray:
        """The palette as uint8 (K, 3)."""
        return np.array(self.palette, np.uint8)

    def summary(self, sizes: Mapping[str, int]) -> str:
        """The name, the sizes of the splits, and the commonest categories."""
        height, width = self.event_shape
        line = f"{self.name}: {listed(sizes)} maps of {height} x {width} pixels"
        if not self.frequencies:
            return line
        largest = np.sort(np.argsort(-np.array(self.frequencies), kind="stable")[:16])
        shares = [f"{self._called(k)} {self.frequencies[k]:.2%}" for k in largest.tolist()]
        more = [] if len(largest) == self.num_classes else ["..."]
        return f"{line}\n{self.num_classes} categories: {', '.join(shares + more)}"

    def _called(self, category: int) -> str:
        return self.names[category] if self.names else str(category)
