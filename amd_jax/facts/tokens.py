"""Rows of tokens of a large vocabulary, of which a text may be known."""

import codecs
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from amd_jax.facts.rows import NOISE_SIGN, UNUSED_SIGN, Facts, listed
from amd_jax.host.printable import cut, in_one_line

SHOWN = 12  # texts of tokens in the summary


@dataclasses.dataclass(frozen=True)
class TokenFacts(Facts):
    """Rows of tokens (L,); bits count per token.

    A token may be a part of a character, so the texts are bytes of utf-8: text k holds a
    character below U+0100 for each byte of token k.
    """

    unit: str = "token"
    texts: tuple[str, ...] = ()  # (K,), or none: tokens are shown as numbers

    kind: ClassVar[str] = "tokens"

    def __post_init__(self):
        """Raises ValueError for texts that are not as many, or are no bytes."""
        super().__post_init__()
        if self.texts and len(self.texts) != self.num_classes:
            raise ValueError(
                f"Each token has a text; {self.name} has {self.num_classes} tokens and "
                f"{len(self.texts)} texts."
            )
        if any(max(text, default="") > "\xff" for text in self.texts):
            raise ValueError(f"Texts of tokens are bytes, below U+0100; {self.name} has others.")

    @property
    def class_names(self) -> tuple[str, ...]:
        """The texts of the tokens, if they are known."""
        return self.texts

    def with_another_class(self, **changes: Any) -> Facts:
        """The facts with one more token."""
        return super().with_another_class(texts=self.texts and (*self.texts, ""), **changes)

    def pieces(self, x: ArrayLike) -> list[str]:
        """What each token of x (L,) adds to a text, or its number and a space.

        Of a character of several tokens the last one adds it.
        """
        result, decoder = [], codecs.getincrementaldecoder("utf-8")(errors="replace")
        for k in np.ravel(np.asarray(x)).tolist():
            if 0 <= k < self.num_classes and self.texts:
                result.append(decoder.decode(self.texts[k].encode("latin-1")))
                continue
            sign = UNUSED_SIGN if k < 0 else NOISE_SIGN
            sign = f"{k} " if 0 <= k < self.num_classes else f"{sign}{'' if self.texts else ' '}"
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
        if not self.texts:
            return f"{result}vocabulary of {self.num_classes:,}, shown as numbers"
        places = np.linspace(0, self.num_classes - 1, SHOWN).astype(int)
        shown = " ".join(repr(self.pieces([k])[0]) for k in places)
        return f"{result}vocabulary of {self.num_classes:,}: {cut(in_one_line(shown), 160)}"
