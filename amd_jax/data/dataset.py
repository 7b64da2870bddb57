"""What training and evaluation ask of a dataset, and batching without state."""

import functools
from collections.abc import Sequence
from typing import Protocol

import numpy as np

SPLITS = ("train", "validation", "test")


class Dataset(Protocol):
    """Discrete data in three splits, every row of one shape.

    To add one: a class with these members, and a `load(...)` that returns an instance. It does
    nothing slow before the first `batch` or `rows`, so that samples need no data. Text and maps
    have more, by which they are known (`TextDataset`, `MapDataset`).
    """

    @property
    def num_classes(self) -> int:
        """K: tokens are 0, ..., K - 1, and K <= 256."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one row, such as (256,) for text or (32, 64) for maps."""

    @property
    def unit(self) -> str:
        """What one token is called where bits are counted: "char", "byte" or "pixel"."""

    def batch(self, seed: int, step: int, batch_size: int) -> np.ndarray:
        """Training rows, uint8 (B, *event_shape): a pure function of (seed, step)."""

    def rows(self, split: str) -> np.ndarray:
        """Every row of a split, in order and without overlap: uint8 (N, *event_shape)."""

    def summary(self) -> str:
        """What it is, and the sizes of its splits, in a line or two."""


class TextDataset(Dataset, Protocol):
    """What text has beside: its rows are cut from a stream of tokens, and can be read."""

    def stream(self, split: str) -> np.ndarray:
        """Tokens of a split in one piece: uint8 (N,)."""

    def encode(self, text: str) -> np.ndarray:
        """Tokens of a text, uint8 (L,). ValueError names a character outside the alphabet."""

    def decode(self, tokens: Sequence[int] | np.ndarray) -> str:
        """Text of the tokens (L,) of one row."""


class MapDataset(Dataset, Protocol):
    """What maps have beside: colours."""

    palette: np.ndarray  # RGB of the categories, uint8 (K, 3)


def check_split(split: str) -> None:
    """Raise ValueError unless `split` is one of `SPLITS`."""
    if split not in SPLITS:
        raise ValueError(f"The split must be one of {', '.join(SPLITS)}; got {split!r}.")


def generator(seed: int, index: int) -> np.random.Generator:
    """Counter-based random numbers, a pure function of (seed, index)."""
    key = np.array([seed % 2**64, index % 2**64], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


@functools.lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, num_rows: int) -> np.ndarray:
    """Order in which an epoch visits the rows, (num_rows,) int64."""
    order = generator(seed, epoch).permutation(num_rows)
    order.flags.writeable = False  # shared by every caller, through the cache
    return order


def epoch_rows(seed: int, step: int, batch_size: int, num_rows: int) -> np.ndarray:
    """Indices of the rows of a batch, (B,): every epoch is a new permutation of all rows.

    Epochs follow each other without a gap, so a batch may hold the end of one and the start of
    the next, and no row is left out when `batch_size` does not divide `num_rows`.
    """
    epochs, places = np.divmod(step * batch_size + np.arange(batch_size), num_rows)
    picked = np.empty(batch_size, dtype=np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        picked[here] = permutation(seed, int(epoch), num_rows)[places[here]]
    return picked


def crop_rows(
    seed: int, step: int, batch_size: int, stream: np.ndarray, length: int
) -> np.ndarray:
    """Rows cut from a token stream (N,) at uniform offsets: (B, length)."""
    offsets = generator(seed, step).integers(len(stream) - length + 1, size=batch_size)
    return stream[offsets[:, None] + np.arange(length)]
