"""Rows of a stream of tokens: where each begins, and how many tokens it has."""

import dataclasses
import functools
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int32, Int64, Integer

from amd_jax.data.reading import document_ends
from amd_jax.data.reading.token_shards import Stream
from amd_jax.facts.rows import MOST_CLASSES
from amd_jax.host import memory

PIECES, PIECE = 256, 4096  # of the sample: how many, and tokens of each
LONGEST = 1 << 20  # tokens of a row of a document: the share of each length is kept
Index = Integer[np.ndarray, "n"]


@runtime_checkable
class Cuts(Protocol):
    """How a stream is cut into rows of up to `length` tokens."""

    @property
    def stream(self) -> Stream:
        """What is cut."""

    @property
    def length(self) -> int:
        """L."""

    def __len__(self) -> int:
        """The number of rows."""

    def places(self, index: Index) -> tuple[Index, Index]:
        """Where rows begin in the stream, and their sizes."""


@dataclasses.dataclass(frozen=True)
class Even:
    """Rows of `length` tokens, one after the other, whatever is in them."""

    stream: Stream
    length: int

    def __len__(self) -> int:
        """What is left at the end is no row."""
        return len(self.stream) // self.length

    def places(self, index: Index) -> tuple[Index, Index]:
        """Where rows begin, and `length` for each."""
        return index * self.length, np.full(len(index), self.length)


@dataclasses.dataclass(frozen=True, eq=False)
class OfDocuments:
    """Rows of one document each: `length` tokens, and fewer where the document ends.

    In memory are 16 bytes for each document.
    """

    stream: Stream
    length: int

    def __post_init__(self):
        """Raises ValueError for rows of more tokens than lengths can be counted of."""
        if not 1 <= self.length <= LONGEST:
            longest = int(np.diff(self._ends, prepend=0).max(initial=1))
            raise ValueError(
                f"Rows of one document have 1 to {LONGEST:,} tokens; got length={self.length:,}. "
                f"The longest document has {longest:,}: give length={min(longest, LONGEST)} or "
                "less."
            )

    @functools.cached_property
    def _ends(self) -> Int64[np.ndarray, "d"]:
        """Where documents end in the stream; documents without a token are none."""
        offset, result = 0, [np.zeros(0, np.int64)]
        for shard in self.stream.shards:
            result.append(document_ends.read(shard) + offset)
            offset += shard.size
        ends = np.concatenate(result)
        return ends[np.diff(ends, prepend=0) > 0]

    @functools.cached_property
    def _rows(self) -> Int64[np.ndarray, "d"]:
        """The number of rows up to the end of each document."""
        return np.cumsum(-(-np.diff(self._ends, prepend=0) // self.length))

    def __len__(self) -> int:
        """The number of rows of all documents."""
        return int(self._rows.max(initial=0))

    def places(self, index: Index) -> tuple[Index, Index]:
        """Where rows begin in the stream, and their sizes."""
        of = np.searchsorted(self._rows, index, side="right")
        left = self._rows[of] - index  # rows up to the end of the document, this one among them
        begin = np.where(of > 0, self._ends[of - 1], 0)
        rows = -(-(self._ends[of] - begin) // self.length)
        starts = begin + (rows - left) * self.length
        return starts, np.minimum(self._ends[of] - starts, self.length)

    def sizes(self, first: int, end: int) -> Int64[np.ndarray, "L"]:
        """How many of the rows from `first` to `end` have 1, 2, …, L tokens."""
        inside = (self._rows > first) & (self._rows <= end)  # documents whose last row is there
        last = (np.diff(self._ends, prepend=0)[inside] - 1) % self.length
        result = np.bincount(last, minlength=self.length)
        result[-1] += end - first - len(last)
        return result


@dataclasses.dataclass(frozen=True)
class Windows:
    """The rows of a stream that are numbered from `first` to `end`.

    A slice, or an array of indices, gives the rows themselves, read at that moment. Rows of fewer
    tokens than others are filled up with K.
    """

    cuts: Cuts
    first: int
    end: int
    num_classes: int | None = None  # K, and tokens are below it; None: not known yet

    def __len__(self) -> int:
        """N."""
        return self.end - self.first

    @property
    def shape(self) -> tuple[int, int]:
        """(N, length)."""
        return len(self), self.cuts.length

    def __getitem__(self, index: slice | Index) -> Int32[np.ndarray, "n L"]:
        """Rows, int32 (n, length).

        Raises:
            ValueError: for more than memory holds, and for a token that is none.
        """
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        length, stream = self.cuts.length, self.cuts.stream
        memory.check(
            4 * len(index) * length, f"{len(index):,} rows", "Take fewer: --num_texts=1000."
        )
        starts, sizes = self.cuts.places(index + self.first)
        x = np.zeros((len(index), length), stream.dtype)
        stream.read(starts, (row[:size] for row, size in zip(x, sizes.tolist(), strict=True)))
        self._check(x, starts)
        x = x.astype(np.int32)
        if (sizes < length).any():
            x[np.arange(length) >= sizes[:, None]] = self.num_classes
        return x

    def _check(self, x: Integer[np.ndarray, "n L"], starts: Index) -> None:
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
        where = self.cuts.stream.place(int(starts[row] + place))
        raise ValueError(f"Tokens are in [0, K), K being {limit}; got {token}: {where}. {way_out}")

    def sample(self) -> Int32[np.ndarray, "n"]:
        """`PIECES` pieces at equal distances, the first and the last among them; all if few."""
        starts, sizes = self.cuts.places(np.array([self.first, self.end - 1]))
        begin, count = int(starts[0]), int(starts[1] + sizes[1] - starts[0])
        number, piece = (1, count) if count <= PIECES * PIECE else (PIECES, PIECE)
        starts = begin + np.arange(number) * (count - piece) // max(1, number - 1)
        x = self.cuts.stream.windows(starts, piece)
        self._check(x, starts)
        return x.reshape(-1).astype(np.int32)
