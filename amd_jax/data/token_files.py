"""Files of tokens as a data set: `.bin` as nanoGPT writes it, `.npy`, Megatron's, any number.

`load(path)` finds them. They are never read whole, whatever their size: a row is read when a batch
has it, and what is to be known of all tokens comes from a sample of fixed places.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from amd_jax.data import token_rows
from amd_jax.data.dataset import SPLITS, epoch_rows, frequencies
from amd_jax.data.reading import token_shards, token_texts
from amd_jax.data.reading.token_shards import Stream
from amd_jax.data.token_rows import Cuts, Windows
from amd_jax.facts import TokenFacts
from amd_jax.facts.lines import smoothed
from amd_jax.facts.rows import MOST_CLASSES
from amd_jax.host.printable import in_one_line

HELD_OUT = 1000  # rows of validation and of the test, at most
DOCUMENTS: dict[str, Callable[[Stream, int], Cuts]] = {
    "cross": token_rows.Even,
    "apart": token_rows.OfDocuments,
}


@dataclasses.dataclass(frozen=True, eq=False)
class TokenFiles:
    """Rows of a stream, without overlap: of `length` tokens, or of one document each.

    The last rows are those of validation and test: 5 % each as of a text, but `HELD_OUT` at most.
    With a `test` stream its rows are the test, and those before the end validation.
    """

    cuts: Cuts
    vocab_size: int = 0  # K; 0 for the largest token of the sample, plus one
    texts: tuple[str, ...] = ()  # of the tokens: see `TokenFacts`
    test: Cuts | None = None
    name: str = "tokens"

    splits = SPLITS

    def __post_init__(self):
        """Raises ValueError for what can be known without reading tokens."""
        if not 0 <= self.vocab_size <= MOST_CLASSES or self.vocab_size == 1:
            raise ValueError(
                f"vocab_size is 2 to {MOST_CLASSES:,}, or 0 for the largest token of a sample; "
                f"got {self.vocab_size}."
            )
        for cuts, least in ((self.cuts, 3 - bool(self.test)), (self.test, 1)):
            if cuts is not None and len(cuts) < least:
                raise ValueError(
                    f"Each split has a row, so there are {least} or more; "
                    f"{in_one_line(cuts.stream.shards[0].file)} has {len(cuts.stream):,} tokens, "
                    f"{len(cuts)} rows of {cuts.length:,}. Use a longer file or a smaller length."
                )

    @functools.cached_property
    def facts(self) -> TokenFacts:
        """What a model needs to know of the tokens; frequencies are those of a sample of them.

        The sample is `PIECES` x `PIECE` tokens at fixed places of the training split. Rows of one
        document each have one more class, the padding, and a law of their sizes, of all of them.
        """
        rows, classes = self.rows("train"), self.num_classes
        shares = frequencies(rows.sample(), classes)
        sizes: tuple[float, ...] = ()
        if isinstance(self.cuts, token_rows.OfDocuments):
            sizes = smoothed(self.cuts.sizes(rows.first, rows.end))
            content = np.dot(sizes, np.arange(1, self.length + 1)) / self.length
            shares = (*(content * p for p in shares), 1 - content)
        return TokenFacts(
            num_classes=classes + bool(sizes),
            event_shape=(self.length,),
            name=self.name,
            frequencies=shares,
            texts=token_texts.filled_up(self.texts, classes) if self.texts else (),
            length_frequencies=sizes,
        )

    @property
    def length(self) -> int:
        """L, the tokens of a row, at most."""
        return self.cuts.length

    @functools.cached_property
    def num_classes(self) -> int:
        """K without padding: as given, or as many as texts, or the sample's largest token + 1."""
        known = self.vocab_size or len(self.texts)
        return known or max(2, 1 + int(self._windows("train").sample().max()))

    def rows(self, split: str) -> Windows:
        """Every row of a split, in order: read by slices, which are int32 (n, length)."""
        return dataclasses.replace(self._windows(split), num_classes=self.num_classes)

    def batch(
        self, seed: int, step: int, batch_size: int, part: slice = slice(None)
    ) -> Int32[np.ndarray, "B L"]:
        """Training rows, int32 (B, length): see `Dataset`."""
        rows = self.rows("train")
        return rows[epoch_rows(seed, step, batch_size, len(rows), part, most_listed=0)]

    def digest(self, split: str) -> str:
        """A checksum by which a run knows a split again: of its size, and of a sample of it.

        A change between the `PIECES` places of the sample is not noticed, unless the size changes.
        A split of up to `PIECES` x `PIECE` tokens is read whole. The type of the files, and how
        the tokens are divided among them, do not matter. Of documents, the sizes of rows do.
        """
        rows = self._windows(split)
        result = hashlib.sha256(f"{len(rows)} {self.length}".encode())
        if isinstance(rows.cuts, token_rows.OfDocuments):
            result.update(rows.cuts.sizes(rows.first, rows.end).astype("<i8").tobytes())
        result.update(rows.sample().astype("<i4").tobytes())
        return result.hexdigest()

    def _windows(self, split: str) -> Windows:
        """The rows of a split, whose tokens may be beyond the vocabulary."""
        if split not in self.splits:
            raise ValueError(
                f"{self.name} has no split {split!r}; it has {', '.join(self.splits)}."
            )
        if split == "test" and self.test is not None:
            return Windows(self.test, 0, len(self.test))
        number = len(self.cuts)
        held = min(HELD_OUT, max(1, number // 20))
        ends = {"train": number - 2 * held, "validation": number - held, "test": number}
        if self.test is not None:
            ends = {"train": number - held, "validation": number}
        first = 0 if split == "train" else ends[split] - held
        return Windows(self.cuts, first, ends[split])


def load(
    path: str,
    length: int = 256,
    dtype: str = "uint16",
    vocab_size: int = 0,
    tokens: str = "",
    test_path: str = "",
    documents: str = "cross",
) -> TokenFiles:
    """Your own files of tokens; nothing but their sizes is read, and where documents end.

    Args:
        path: a `.bin`, a `.npy`, Megatron's `.bin` or `.idx`, a folder of them, or a pattern such
            as data/train_*.bin; several are one stream, in the order of their names.
        length: tokens of a row.
        dtype: of a `.bin` without an `.idx`: uint16, as nanoGPT writes it, or uint32.
        vocab_size: K; 0 for that of the tokenizer, or else the largest token of a sample + 1.
        tokens: the tokenizer.json of the package `tokenizers`, to show tokens as text.
        test_path: the test split, of the same kind.
        documents: "cross" for rows of `length` tokens, which cross ends of documents; "apart" for
            rows of one document each, filled up with one more class.

    Raises:
        ValueError: in one line, for what is no file of tokens, or not one of these.
    """
    if length < 1:
        raise ValueError(f"Rows need a length of at least 1; got {length}.")
    if documents not in DOCUMENTS:
        raise ValueError(f"documents is one of {', '.join(DOCUMENTS)}; got {documents!r:.60}.")

    def cut(path: str) -> Cuts:
        return DOCUMENTS[documents](Stream(token_shards.find(path, dtype)), length)

    cuts, test = cut(path), cut(test_path) if test_path else None
    texts = token_texts.read(tokens) if tokens else ()
    return TokenFiles(cuts, vocab_size, texts, test, in_one_line(Path(path).name))
