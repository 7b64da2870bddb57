"""Rows of characters: an alphabet, and the coding of texts."""

import codecs
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Integer
from numpy.typing import ArrayLike

from amd_jax.facts.rows import NOISE_SIGN, UNUSED_SIGN, Facts, listed

UNKNOWN_SIGN = "\ufffd"  # in an alphabet: any character that is too rare to have a place there


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

    @property
    def symbols(self) -> str | None:
        """The characters that have tokens, in their order; none if bytes have."""
        return self.alphabet

    @property
    def class_names(self) -> tuple[str, ...]:
        """The characters; none of bytes."""
        return tuple(self.alphabet or "")

    def with_another_class(self, **changes: Any) -> Facts:
        """The facts with one more character, the last of them."""
        alphabet, at = self.alphabet or "", len(self.symbols or "")
        free = next(filter(lambda sign: sign not in alphabet, map(chr, range(0xF0000, 0x10FFFF))))
        return super().with_another_class(
            alphabet=alphabet[:at] + free + alphabet[at:],
            padding=None if self.padding is None else self.padding + 1,
            **changes,
        )

    def known(self, text: str) -> list[bool]:
        """Whether each character of a text has a token."""
        return [self.symbols is None or character in self.symbols for character in text]

    def encode(self, text: str, unknown: int | None = None) -> np.ndarray:
        """Tokens of a text, int32 (L,).

        A character without one becomes the alphabet's sign for rare ones, if it has that, or the
        token `unknown`. Raises ValueError, naming it and its place, where there is neither.
        """
        if self.symbols is None:
            return np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int32)
        place = {character: k for k, character in enumerate(self.symbols)}
        unknown = place.get(UNKNOWN_SIGN, unknown)
        for position, character in enumerate(text):
            if character not in place and unknown is None:
                raise ValueError(
                    f"Every character must be in the alphabet {self.symbols!r}; "
                    f"got {character!r} at position {position}."
                )
        return np.array([place.get(character, unknown) for character in text], np.int32)

    def pieces(self, x: ArrayLike) -> list[str]:
        """What each token of x (L,) adds to the text: of a character of several bytes the last."""
        tokens = np.asarray(x).tolist()
        if self.alphabet is not None:
            known = dict(enumerate(self.alphabet))
            return [known.get(k, UNUSED_SIGN if k < 0 else NOISE_SIGN) for k in tokens]
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        result = []
        for k in tokens:
            if 0 <= k < 256:
                result.append(decoder.decode(bytes([k])))
            else:
                sign = UNUSED_SIGN if k < 0 else NOISE_SIGN
                result.append(decoder.decode(b"", final=True) + sign)
                decoder.reset()
        if result:
            result[-1] += decoder.decode(b"", final=True)
        return result

    def filled_up(self, x: Integer[np.ndarray, "L"]) -> Integer[np.ndarray, "M"]:
        """The tokens of a text, and padding up to a whole row, if these data have any.

        Such rows end with their padding, and a model was trained on all of it.
        """
        missing = self.event_shape[0] - len(x)
        if self.padding is None or missing <= 0:
            return x
        return np.pad(x, (0, missing), constant_values=self.padding)

    def decode(self, x: ArrayLike) -> str:
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
            f"{self.name}: {listed(sizes)} rows of {length} {self.unit}s\n"
            f"alphabet of {self.num_classes}: {symbols}"
        )
