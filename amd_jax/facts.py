"""Facts: what a model, its samples and its reports need to know of data, as values.

A run keeps the facts of its data, so that it can be sampled from, and its samples be shown,
without them. `Facts` will do for rows of any shape; text, maps and points of a plane have more.
"""

import codecs
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

UNUSED_SIGN = "\ufffd"  # shows a code that stands for no class
NOISE_SIGN = "░"  # shows a state that is noise only, such as a mask
UNKNOWN_SIGN = "\ufffd"  # in an alphabet: any character that is too rare to have a place there


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
    statistics: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)

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
        if min(self.event_shape, default=1) < 1:
            raise ValueError(f"A row has 1 token or more; got the shape {self.event_shape}.")
        if len(self.frequencies) not in (0, self.num_classes):
            raise ValueError(
                f"Frequencies are one number for each of {self.num_classes} classes; "
                f"{self.name} has {len(self.frequencies)}."
            )

    @property
    def log_frequencies(self) -> tuple[float, ...]:
        """log of the frequencies, (K,): where a network's output may start."""
        if not self.frequencies:
            raise ValueError(f"The facts of {self.name} hold no frequencies.")
        return tuple(np.log(self.frequencies).tolist())

    def lengths(self, x: np.ndarray) -> np.ndarray:
        """How many tokens of each row (N, ...) count: int64 (N,)."""
        return np.full(len(x), math.prod(self.event_shape))

    def show(self, x: Sequence[int] | np.ndarray) -> str:
        """One row as text, whatever states it holds."""
        signs = {-1: UNUSED_SIGN}
        tokens = np.ravel(np.asarray(x)).tolist()
        return " ".join(
            signs.get(k, str(k) if k < self.num_classes else NOISE_SIGN) for k in tokens
        )

    def summary(self, sizes: Mapping[str, int]) -> str:
        """What it is, with the number of rows of each split, in a line or two."""
        shape = " x ".join(map(str, self.event_shape)) or "1"
        return f"{self.name}: {_listed(sizes)} rows of {shape}, {self.num_classes} classes"

    def to_json(self) -> dict[str, Any]:
        """The fields, and the kind, as JSON's values."""
        return {"kind": self.kind, **dataclasses.asdict(self)}


@dataclasses.dataclass(frozen=True)
class TextFacts(Facts):
    """Rows of characters: token k is `alphabet[k]`, or without an alphabet the byte k of utf-8."""

    unit: str = "char"
    alphabet: str | None = None
    padding: int | None = None  # the token that ends a row, and fills it up; none: rows are full

    kind: ClassVar[str] = "text"
    rows: ClassVar[str] = "texts"

    def __post_init__(self):
        """Raises ValueError for an alphabet of another size, or a symbol that is there twice."""
        super().__post_init__()
        if self.alphabet is None:
            return
        if len(self.alphabet) != self.num_classes:
            raise ValueError(
                f"{self.name} has {self.num_classes} classes and an alphabet of "
                f"{len(self.alphabet)} symbols. They must be as many."
            )
        if len(set(self.alphabet)) < len(self.alphabet):
            raise ValueError(
                f"The symbols of an alphabet differ; {self.name} has {self.alphabet!r}."
            )

    def known(self, text: str) -> list[bool]:
        """Whether each character of a text has a token."""
        return [self.alphabet is None or character in self.alphabet for character in text]

    def encode(self, text: str, unknown: int | None = None) -> np.ndarray:
        """Tokens of a text, int32 (L,).

        A character without one becomes the alphabet's sign for rare ones, if it has that, or the
        token `unknown`. Raises ValueError, naming it and its place, where there is neither.
        """
        if self.alphabet is None:
            return np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int32)
        place = {character: k for k, character in enumerate(self.alphabet)}
        unknown = place.get(UNKNOWN_SIGN, unknown)
        for position, character in enumerate(text):
            if character not in place and unknown is None:
                raise ValueError(
                    f"Every character must be in the alphabet {self.alphabet!r}; "
                    f"got {character!r} at position {position}."
                )
        return np.array([place.get(character, unknown) for character in text], np.int32)

    def pieces(self, x: Sequence[int] | np.ndarray) -> list[str]:
        """What each token of x (L,) adds to the text: of a character of several bytes the last."""
        tokens = np.asarray(x).tolist()
        if self.alphabet is not None:
            known = dict(enumerate(self.alphabet))
            return [known.get(k, UNUSED_SIGN if k < 0 else NOISE_SIGN) for k in tokens]
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        found = []
        for k in tokens:
            if 0 <= k < 256:
                found.append(decoder.decode(bytes([k])))
            else:
                sign = UNUSED_SIGN if k < 0 else NOISE_SIGN
                found.append(decoder.decode(b"", final=True) + sign)
                decoder.reset()
        if found:
            found[-1] += decoder.decode(b"", final=True)
        return found

    def decode(self, x: Sequence[int] | np.ndarray) -> str:
        """The text of tokens (L,), whatever states they are; with padding, up to it."""
        x = np.asarray(x)
        if self.padding is not None:
            x = x[: int(np.argmax(np.append(x == self.padding, True)))]
        return "".join(self.pieces(x))

    show = decode

    def lengths(self, x: np.ndarray) -> np.ndarray:
        """The tokens up to the first padding, that one included: int64 (N,)."""
        full = super().lengths(x)
        if self.padding is None:
            return full
        ended = np.asarray(x) == self.padding
        return np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, full)

    def summary(self, sizes: Mapping[str, int]) -> str:
        """The name, the sizes of the splits, and the alphabet."""
        symbols = "raw bytes" if self.alphabet is None else repr(self.alphabet)
        (length,) = self.event_shape
        return (
            f"{self.name}: {_listed(sizes)} rows of {length} {self.unit}s\n"
            f"alphabet of {self.num_classes}: {symbols}"
        )


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
        line = f"{self.name}: {_listed(sizes)} maps of {height} x {width} pixels"
        if not self.frequencies:
            return line
        largest = np.sort(np.argsort(-np.array(self.frequencies), kind="stable")[:16])
        shares = [f"{self._called(k)} {self.frequencies[k]:.2%}" for k in largest.tolist()]
        more = [] if len(largest) == self.num_classes else ["..."]
        return f"{line}\n{self.num_classes} categories: {', '.join(shares + more)}"

    def _called(self, category: int) -> str:
        return self.names[category] if self.names else str(category)


@dataclasses.dataclass(frozen=True)
class PlaneFacts(Facts):
    """Points of a plane: the row and the column of a cell in a grid of K x K."""

    unit: str = "coordinate"

    kind: ClassVar[str] = "points"
    rows: ClassVar[str] = "points"
    num_samples: ClassVar[int] = 20_000


def from_json(fields: Mapping[str, Any]) -> Facts:
    """The facts that `Facts.to_json` gave; ValueError if this program has no such kind."""
    known = {kind.kind: kind for kind in _kinds(Facts)}
    fields = {name: tuples(value) for name, value in fields.items()}
    kind = fields.pop("kind", None)
    if kind not in known:
        raise ValueError(f"Facts are of the kind {', '.join(known)}; got {kind!r}.")
    try:
        return known[kind](**fields)
    except TypeError as error:
        raise ValueError(f"These are not the facts of {kind}: {error}.") from error


def _kinds(kind: type[Facts]) -> list[type[Facts]]:
    """A class and all below it; of two with one kind the later one counts."""
    return [kind, *(below for direct in kind.__subclasses__() for below in _kinds(direct))]


def tuples(value: Any) -> Any:
    """JSON's lists as tuples."""
    if isinstance(value, dict):
        return {name: tuples(item) for name, item in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, list) else value


def _listed(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {number:,}" for split, number in sizes.items())
