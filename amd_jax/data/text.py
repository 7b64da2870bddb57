"""Text as a data set: an alphabet, a stream of tokens per split, and rows of a fixed length.

`load(path)` makes one of your own file.
"""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from amd_jax.data.dataset import (
    Source,
    Splits,
    crop_rows,
    epoch_rows,
    frequencies,
    split_90_5_5,
)
from amd_jax.data.reading import characters, files
from amd_jax.data.reading.mapped import Mapped
from amd_jax.facts import TextFacts
from amd_jax.host.printable import in_one_line


@dataclasses.dataclass(frozen=True, eq=False)
class Text:
    """Rows of `length` characters, each character one token.

    Token k is `alphabet[k]`; without an alphabet the tokens are the 256 byte values of utf-8.
    """

    alphabet: str | None
    length: int
    streams: Mapping[str, Source]  # split -> tokens (N,) uint8, or a function that reads them
    crops: bool = False  # batches at random offsets, or a permutation of the rows each epoch?
    name: str = "text"

    def __post_init__(self):
        """Raises ValueError for what can be known without the data."""
        if self.length < 1:
            raise ValueError(f"Rows need a length of at least 1; got {self.length}.")
        if self.alphabet is not None:
            characters.check_alphabet(self.alphabet, self.name)

    @functools.cached_property
    def facts(self) -> TextFacts:
        """What a model needs to know of the text; the frequencies are read off it."""
        classes = 256 if self.alphabet is None else len(self.alphabet)
        return TextFacts(
            num_classes=classes,
            event_shape=(self.length,),
            name=self.name,
            unit="byte" if self.alphabet is None else "char",
            frequencies=frequencies(self.stream("train"), classes),
            alphabet=self.alphabet,
        )

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return self._splits.names

    def stream(self, split: str) -> np.ndarray:
        """Tokens of a split in one piece: uint8 (N,)."""

        def check(tokens: np.ndarray) -> None:
            if len(tokens) < self.length:
                raise ValueError(
                    f"A split needs one row of {self.length} characters; {split} of {self.name} "
                    f"has {len(tokens)}. Use a smaller length."
                )

        return self._splits(split, check)

    content = stream

    def rows(self, split: str) -> np.ndarray:
        """Every row of a split, in order and without overlap: uint8 (N, length), a view.

        Characters after the last whole row are dropped.
        """
        stream = self.stream(split)
        return stream[: len(stream) // self.length * self.length].reshape(-1, self.length)

    def batch(
        self, seed: int, step: int, batch_size: int, part: slice = slice(None)
    ) -> np.ndarray:
        """Training rows, uint8 (B, length): see `Dataset`."""
        if self.crops:
            return crop_rows(seed, step, batch_size, self.stream("train"), self.length, part)
        rows = self.rows("train")
        return rows[epoch_rows(seed, step, batch_size, len(rows), part)]

    @functools.cached_property
    def _splits(self) -> Splits:
        return Splits(self.streams, self.name)


def load(
    path: str, length: int = 256, raw_bytes: bool = False, crops: bool = True, min_count: int = 1
) -> Text:
    """Your own text file, split 90/5/5 in order.

    The alphabet is every character that occurs in the file, sorted; line ends are line feeds.
    Those that occur less often than `min_count` share one symbol, U+FFFD. The tokens take a byte
    of memory per character. With `raw_bytes` the file's bytes are the tokens, mapped into memory.

    Raises:
        ValueError: if it is missing, a folder, not utf-8, too short, or has over 256 symbols.
    """
    file = files.expanded(path)
    files.check_file(file, "The text must be a file")
    if file.stat().st_size == 0:
        raise ValueError(f"The text must not be empty; {path} has 0 bytes. Use another file.")
    stream: np.ndarray
    if raw_bytes:
        alphabet, stream = None, Mapped(file, np.uint8, "r")
    else:
        alphabet, stream = characters.read_file(file, min_count)
    splits = split_90_5_5(stream)
    shortest = min(map(len, splits.values()))
    if shortest < length:
        raise ValueError(
            f"Each split (90/5/5) needs one row of {length} characters, so the file about "
            f"{20 * length}; {path} has {len(stream)}. Use a longer file or a smaller length."
        )
    return Text(alphabet, length, splits, crops=crops, name=in_one_line(file.name))
