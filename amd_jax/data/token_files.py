"""Files of tokens as a data set: `.bin` as nanoGPT writes it, `.npy`, Megatron's, any number.

`load(path)` finds them. They are never read whole, whatever their size: a row is read when a batch
has it, and what is to be known of all tokens comes from a sample of fixed places.
"""

import dataclasses
import functools
import hashlib
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Integer

from amd_jax.data.dataset import SPLITS, epoch_rows, frequencies
from amd_jax.data.reading import token_shards, token_texts
from amd_jax.data.reading.token_shards import Stream
from amd_jax.facts import TokenFacts
from amd_jax.facts.rows import MOST_CLASSES
from amd_jax.host import memory
from amd_jax.host.printable import in_one_line

HELD_OUT = 1000  # windows of validation and of the test, at most
PIECES, PIECE = 256, 4096  # of the sample: how many, and tokens of each


@dataclasses.dataclass(frozen=True)
class Windows:
    """Windows of a stream as rows: those numbered from `first` to `end`, without overlap.

    A slice, or an array of indices, gives the rows themselves, read at that moment.
    """

    stream: Stream
    length: int
    first: int
    end: int
    num_classes: int | None = None  # K, and tokens are below it; None: not known yet

    def __len__(self) -> int:
        """N."""
        return self.end - self.first

    @property
    def shape(self) -> tuple[int, int]:
        """(N, length)."""
        return len(self), self.length

    def __getitem__(self, index: slice | Integer[np.ndarray, "n"]) -> Int32[np.ndarray, "n L"]:
        """Rows, int32 (n, length).

        Raises:
            ValueError: for more than memory holds, and for a token that is none.
        """
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        memory.check(
            4 * len(index) * self.length, f"{len(index):,} rows", "Take fewer: --num_texts=1000."
        )
        starts = (index + self.first) * self.length
        x = self.stream.windows(starts, self.length)
        self._check(x, starts)
        return x.astype(np.int32)

    def _check(self, x: Integer[np.ndarray, "n L"], starts: Integer[np.ndarray, "n"]) -> None:
        """Raises ValueError for a token that is none."""
        classes = self.num_classes or MOST_CLASSES
        if not x.size or 0 <= x.min() <= x.max() < classes:
            return
        row, place = np.argwhere((x < 0) | (x >= classes))[0]
        token, limit = int(x[row, place]), f"vocab_size={classes}"
        way_out = f"Give --config.data.vocab_size={token + 1} or more, in another workdir."
        if not 0 <= token < MOST_CLASSES:
            limit = f"{MOST_CLASSES:,} at most"
            way_out = "Is it a file of tokens, and of this dtype (uint16 or uint32)?"
        where = self.stream.place(int(starts[row] + place))
        raise ValueError(f"Tokens are in [0, K), K being {limit}; got {token}: {where}. {way_out}")

    def sample(self) -> Int32[np.ndarray, "n"]:
        """`PIECES` pieces at equal distances, the first and the last among them; all if few."""
        begin, count = self.first * self.length, len(self) * self.length
        if count <= PIECES * PIECE:
            return self[:].reshape(-1)
        starts = begin + np.arange(PIECES) * (count - PIECE) // (PIECES - 1)
        x = self.stream.windows(starts, PIECE)
        self._check(x, starts)
        return x.reshape(-1).astype(np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class TokenFiles:
    """Rows of `length` tokens of a stream, without overlap; one may cross documents and shards.

    The last windows are those of validation and test: 5 % each as of a text, but `HELD_OUT` at
    most. With a `test` stream its windows are the test, and those before the end validation.
    """

    stream: Stream
    length: int
    vocab_size: int = 0  # K; 0 for the largest token of the sample, plus one
    texts: tuple[str, ...] = ()  # of the tokens: see `TokenFacts`
    test: Stream | None = None
    name: str = "tokens"

    splits = SPLITS

    def __post_init__(self):
        """Raises ValueError for what can be known without reading tokens."""
        if self.length < 1:
            raise ValueError(f"Rows need a length of at least 1; got {self.length}.")
        if not 0 <= self.vocab_size <= MOST_CLASSES or self.vocab_size == 1:
            raise ValueError(
                f"vocab_size is 2 to {MOST_CLASSES:,}, or 0 for the largest token of a sample; "
                f"got {self.vocab_size}."
            )
        for stream, least in ((self.stream, 3 - bool(self.test)), (self.test, 1)):
            if stream is not None and len(stream) // self.length < least:
                raise ValueError(
                    f"Each split has a row of {self.length:,} tokens, so there are "
                    f"{least * self.length:,} or more; {in_one_line(stream.shards[0].file)} has "
                    f"{len(stream):,}. Use a longer file or a smaller length."
                )

    @functools.cached_property
    def facts(self) -> TokenFacts:
        """What a model needs to know of the tokens; frequencies are those of a sample of them.

        The sample is `PIECES` x `PIECE` tokens at fixed places of the training split.
        """
        sample, classes = self.rows("train").sample(), self.num_classes
        return TokenFacts(
            num_classes=classes,
            event_shape=(self.length,),
            name=self.name,
            frequencies=frequencies(sample, classes),
            texts=token_texts.filled_up(self.texts, classes) if self.texts else (),
        )

    @functools.cached_property
    def num_classes(self) -> int:
        """K: what was given, else the number of texts, or the largest token of the sample + 1."""
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
        the tokens are divided among them, do not matter.
        """
        rows = self._windows(split)
        result = hashlib.sha256(f"{len(rows)} {self.length}".encode())
        result.update(rows.sample().astype("<i4").tobytes())
        return result.hexdigest()

    def _windows(self, split: str) -> Windows:
        """The rows of a split, whose tokens may be beyond the vocabulary."""
        if split not in self.splits:
            raise ValueError(
                f"{self.name} has no split {split!r}; it has {', '.join(self.splits)}."
            )
        if split == "test" and self.test is not None:
            return Windows(self.test, self.length, 0, len(self.test) // self.length)
        number = len(self.stream) // self.length
        held = min(HELD_OUT, max(1, number // 20))
        ends = {"train": number - 2 * held, "validation": number - held, "test": number}
        if self.test is not None:
            ends = {"train": number - held, "validation": number}
        first = 0 if split == "train" else ends[split] - held
        return Windows(self.stream, self.length, first, ends[split])


def load(
    path: str,
    length: int = 256,
    dtype: str = "uint16",
    vocab_size: int = 0,
    tokens: str = "",
    test_path: str = "",
) -> TokenFiles:
    """Your own files of tokens; nothing but their sizes is read.

    Args:
        path: a `.bin`, a `.npy`, Megatron's `.bin` or `.idx`, a folder of them, or a pattern such
            as data/train_*.bin; several are one stream, in the order of their names.
        length: tokens of a row.
        dtype: of a `.bin` without an `.idx`: uint16, as nanoGPT writes it, or uint32.
        vocab_size: K; 0 for that of the tokenizer, or else the largest token of a sample + 1.
        tokens: the tokenizer.json of the package `tokenizers`, to show tokens as text.
        test_path: the test split, of the same kind.

    Raises:
        ValueError: in one line, for what is no file of tokens, or not one of these.
    """
    stream = Stream(token_shards.find(path, dtype))
    test = Stream(token_shards.find(test_path, dtype)) if test_path else None
    texts = token_texts.read(tokens) if tokens else ()
    return TokenFiles(stream, length, vocab_size, texts, test, in_one_line(Path(path).name))
