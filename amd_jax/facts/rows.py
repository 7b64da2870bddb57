"""Rows of integers: what is to be known of any data, and of points of a plane."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool
from numpy.typing import ArrayLike

from amd_jax.facts.field_types import Json

UNUSED_SIGN = "\ufffd"  # shows a code that stands for no class
MOST_CLASSES, MOST_TOKENS = 2**24, 2**31 - 1  # what int32 and float32 tell apart, with room
NOISE_SIGN = "░"  # shows a state that is noise only, such as a mask


@dataclasses.dataclass(frozen=True)
class Facts:
    """Rows of integers in [0, K), all of one shape.

    To add a kind of data: a frozen subclass with a `kind` of its own, whose further fields are
    numbers, strings, and tuples of these (they are saved as JSON); it may stand in the experiment
    file. Its `show` says how a row looks.
    """

    num_classes: int  # K
    event_shape: tuple[int, ...]  # of one row
    name: str = "data"
    unit: str = "dim"  # what one token is called where bits are counted: "char", "pixel"
    frequencies: tuple[float, ...] = ()  # (K,), share of each class in the training data
    statistics: Json = dataclasses.field(default_factory=dict, hash=False)

    kind: ClassVar[str] = "arrays"
    rows: ClassVar[str] = "rows"  # what rows are called
    num_samples: ClassVar[int] = 4  # how many are drawn unless a number is given

    def __post_init__(self):
        """Raises ValueError for numbers that cannot be."""
        object.__setattr__(self, "event_shape", tuple(int(n) for n in self.event_shape))
        object.__setattr__(self, "frequencies", tuple(float(p) for p in self.frequencies))
        if self.num_classes < 2:
            raise ValueError(
                f"Data have 2 classes or more; {self.name} has {self.num_classes}. "
                "With one class there is nothing to learn."
            )
        if self.num_classes > MOST_CLASSES:
            raise ValueError(
                f"Data have {MOST_CLASSES:,} classes at most; {self.name} has {self.num_classes}."
            )
        if min(self.event_shape, default=1) < 1:
            raise ValueError(f"A row has 1 token or more; got the shape {self.event_shape}.")
        if math.prod(self.event_shape) > MOST_TOKENS:
            raise ValueError(
                f"A row has {MOST_TOKENS:,} tokens at most; got the shape {self.event_shape}."
            )
        if len(self.frequencies) not in (0, self.num_classes):
            raise ValueError(
                f"Frequencies are one number for each of {self.num_classes} classes; "
                f"{self.name} has {len(self.frequencies)}."
            )
        if not all(0 <= p < math.inf for p in self.frequencies):
            raise ValueError(f"Frequencies are not negative; {self.name} has others.")

    @property
    def log_frequencies(self) -> tuple[float, ...]:
        """log of the frequencies, (K,): where a network's output may start."""
        if not self.frequencies:
            raise ValueError(f"The facts of {self.name} hold no frequencies.")
        return tuple(np.log(self.frequencies).tolist())

    @property
    def classes(self) -> int | tuple[int, ...]:
        """How many classes a token can be: one number for all tokens, or one for each."""
        return self.num_classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each class is called, (K,), for runs that start from one on other classes.

        Empty for classes that are only numbered.
        """
        return ()

    def with_another_class(self, **changes: Any) -> "Facts":
        """The facts with one more class: for what depends on how many there are."""
        frequencies = (*self.frequencies, *self.frequencies[:1])
        number = self.num_classes + 1
        return dataclasses.replace(self, num_classes=number, frequencies=frequencies, **changes)

    @property
    def uniform_bits(self) -> float:
        """Bits by the law that is uniform over what a token can be, for each `unit`."""
        return math.log2(self.num_classes)

    @property
    def token(self) -> str:
        """What one token of a row is called, where bits are counted per another unit, too."""
        return self.unit

    def lengths(self, x: np.ndarray) -> np.ndarray:
        """How many tokens of each row (N, ...) count: int64 (N,)."""
        return np.full(len(x), math.prod(self.event_shape))

    def inside(self, x: np.ndarray) -> Bool[np.ndarray, "*shape"]:
        """Which tokens of rows (N, ...) are content, and not padding: bool (N, ...)."""
        return np.ones(np.shape(x), bool)

    def show(self, x: ArrayLike) -> str:
        """One row as text, whatever states it holds."""
        signs = {-1: UNUSED_SIGN}
        tokens = np.ravel(np.asarray(x)).tolist()
        return " ".join(
            signs.get(k, str(k) if k < self.num_classes else NOISE_SIGN) for k in tokens
        )

    def summary(self, sizes: Mapping[str, int]) -> str:
        """What it is, with the number of rows of each split, in a line or two."""
        shape = " x ".join(map(str, self.event_shape)) or "1"
        return f"{self.name}: {listed(sizes)} rows of {shape}, {self.num_classes} classes"

    @classmethod
    def parsed(cls, fields: Json) -> Json:
        """The fields of JSON as the constructor takes them: here as they are.

        A kind whose fields are values of a class of its own builds them here.
        """
        return fields

    def to_json(self) -> Json:
        """The fields, and the kind, as JSON's values."""
        return {"kind": self.kind, **dataclasses.asdict(self)}


@dataclasses.dataclass(frozen=True)
class PlaneFacts(Facts):
    """Points of a plane: the row and the column of a cell in a grid of K x K."""

    unit: str = "coordinate"

    kind: ClassVar[str] = "points"
    rows: ClassVar[str] = "points"
    num_samples: ClassVar[int] = 20_000


def listed(sizes: Mapping[str, int]) -> str:
    """The number of rows of each split, in a line."""
    return ", ".join(f"{split} {number:,}" for split, number in sizes.items())
