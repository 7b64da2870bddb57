"""Rows of tokens of a large vocabulary, of which a text may be known."""

import codecs
import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool
from numpy.typing import ArrayLike

from amd_jax.facts.rows import NOISE_SIGN, UNUSED_SIGN, Facts, listed
from amd_jax.host.printable import cut, in_one_line

PADDING = "\u2404"  # names it among texts, which are below U+0100
SHOWN = 12  # texts of tokens in the summary


@dataclasses.dataclass(frozen=True)
class TokenFacts(Facts):
    """Rows of tokens (L,); bits count per token.

    With `length_frequencies` rows have 1 to L tokens, each row those of one document, and are
    filled up with the last class: it is no token, and does not count as one.

    A token may be a part of a character, so the texts are bytes of utf-8: text k holds a character
    below U+0100 for each byte of token k.
    """

    unit: str = "token"
    texts: tuple[str, ...] = ()  # of each token, or none: tokens are shown as numbers
    length_frequencies: tuple[float, ...] = ()  # (L,), share of rows of 1, 2, ... L tokens

    kind: ClassVar[str] = "tokens"

    def __post_init__(self):
        """Raises ValueError for texts that are not as many, or are no bytes."""
        super().__post_init__()
        shares = tuple(float(p) for p in self.length_frequencies)
        object.__setattr__(self, "length_frequencies", shares)
        if shares and (self.event_shape != (len(shares),) or abs(sum(shares) - 1) > 1e-6):
            raise ValueError(
                f"There is a share of rows of each size, and they sum to one; {self.name} has "
                f"{len(shares)} for rows of {self.event_shape}, sum {sum(shares):.6g}."
            )
        if self.texts and len(self.texts) != self.classes:
            raise ValueError(
                f"Each token has a text; {self.name} has {self.classes} tokens and "
                f"{len(self.texts)} texts."
            )
        if any(max(text, default="") > "\xff" for text in self.texts):
            raise ValueError(f"Texts of tokens are bytes, below U+0100; {self.name} has others.")

    @property
    def classes(self) -> int:
        """K, how many tokens there are: what is `inside` a row."""
        return self.num_classes - bool(self.length_frequencies)

    @property
    def uniform_bits(self) -> float:
        """Bits of a token if all of them are alike."""
        return math.log2(self.classes)

    def inside(self, x: np.ndarray) -> Bool[np.ndarray, "*shape"]:
        """Which places of rows (N, L) have a token, and not padding."""
        return np.asarray(x) != self.classes if self.length_frequencies else super().inside(x)

    def lengths(self, x: np.ndarray) -> np.ndarray:
        """How many tokens each row (N, L) has: int64 (N,)."""
        return self.inside(x).sum(axis=1)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The texts of the tokens, if they are known, and padding."""
        return (*self.texts, *[PADDING] * bool(self.length_frequencies)) if self.texts else ()

    def with_another_class(self, **changes: Any) -> Facts:
        """The facts with one more token."""
        return super().with_another_class(texts=self.texts and (*self.texts, ""), **changes)

    def pieces(self, x: ArrayLike) -> list[str]:
        """What each token of x (L,) adds to a text, or its number and a space.

        Of a character of several tokens the last one adds it.
        """
        result, decoder = [], codecs.getincrementaldecoder("utf-8")(errors="replace")
        for k in np.ravel(np.asarray(x)).tolist():
            if 0 <= k < self.classes and self.texts:
                result.append(decoder.decode(self.texts[k].encode("latin-1")))
                continue
            sign = UNUSED_SIGN if k < 0 else NOISE_SIGN
            sign = f"{k} " if 0 <= k < self.classes else f"{sign}{'' if self.texts else ' '}"
            sign = "" if self.classes <= k < self.num_classes else sign  # padding
            result.append(decoder.decode(b"", final=True) + sign)
            decoder.reset()
        if result:
            result[-1] += decoder.decode(b"", final=True)
        return result

    def show(self, x: ArrayLike) -> str:
        """The text of a row, or its numbers."""
        return "".join(self.pieces(x)).rstrip(" " if not self.texts else "")

    decode = show

    def summary(self, sizes: Mapping[str, int]) -> str:
        """The name, the sizes of the splits and of the vocabulary, and some of its texts."""
        (length,) = self.event_shape
        result = f"{self.name}: {listed(sizes)} rows of {length:,} tokens\n"
        if shares := self.length_frequencies:
            mean = np.dot(shares, np.arange(1, length + 1))
            result = f"{self.name}: {listed(sizes)} rows of 1 to {length:,} tokens, "
            result += f"{mean:,.0f} on average, each of one document\n"
        if not self.texts:
            return f"{result}vocabulary of {self.classes:,}, shown as numbers"
        places = np.linspace(0, self.classes - 1, SHOWN).astype(int)
        shown = " ".join(repr(self.pieces([k])[0]) for k in places)
        return f"{result}vocabulary of {self.classes:,}: {cut(in_one_line(shown), 160)}"
