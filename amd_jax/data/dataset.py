"""Shared by all data sets: splits that are read on first use, and batches without state."""

import functools
from collections.abc import Callable, Mapping

import numpy as np

from amd_jax.data import feistel

SPLITS = ("train", "validation", "test")
ORDER = 1 << 41  # seed, which no training has, of the permutation before a split
MOST_LISTED = 1 << 24  # rows up to which the permutation of an epoch is an array, of 128 MiB
Source = np.ndarray | Callable[[], np.ndarray]  # of a split: the data, or what reads them


class Splits:
    """The data of each split, read when they are first asked for, and kept."""

    def __init__(self, sources: Mapping[str, Source], name: str):
        """Of some `sources` by split; `name` is that of the data, for messages."""
        self._sources, self._name = dict(sources), name
        self._read: dict[str, np.ndarray] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(self._sources)

    def __call__(self, split: str, check: Callable[[np.ndarray], None]) -> np.ndarray:
        """The data of a split, checked the first time. ValueError for one that is not there."""
        if split not in self._read:
            if split not in self._sources:
                raise ValueError(
                    f"{self._name} has no split {split!r}; it has {', '.join(self.names)}."
                )
            source = self._sources[split]
            result = np.asanyarray(source() if callable(source) else source)  # it may be `Mapped`
            check(result)
            self._read[split] = result
        return self._read[split]


class SplitRows:
    """Rows (N, L) by split: what data sets that are tables of tokens have in common.

    To use it: a frozen dataclass with the fields `tokens` and `name`, and a method `check`.
    """

    tokens: Mapping[str, Source]  # split -> rows (N, L), or a function that reads them
    name: str

    def check(self, split: str, x: np.ndarray) -> None:
        """Raises ValueError for rows that are none of these data."""
        raise NotImplementedError

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return self._splits.names

    def rows(self, split: str) -> np.ndarray:
        """Every row of a split, in order: unsigned integers (N, L)."""
        return self._splits(split, functools.partial(self.check, split))

    def batch(
        self, seed: int, step: int, batch_size: int, part: slice = slice(None)
    ) -> np.ndarray:
        """Training rows, unsigned integers (B, L): see `Dataset`."""
        x = self.rows("train")
        return x[epoch_rows(seed, step, batch_size, len(x), part)]

    @functools.cached_property
    def _splits(self) -> Splits:
        return Splits(self.tokens, self.name)


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


def shuffled(num_rows: int) -> np.ndarray:
    """The permutation of rows before they are split, int64 (num_rows,): the same at all times."""
    return generator(ORDER, 0).permutation(num_rows)


def epoch_rows(
    seed: int,
    step: int,
    batch_size: int,
    num_rows: int,
    part: slice = slice(None),
    most_listed: int = MOST_LISTED,
) -> np.ndarray:
    """Indices of the rows of a batch, (B,), or of a part: every epoch permutes all rows anew.

    Epochs follow each other without a gap, so a batch may hold the end of one and the start of
    the next, and no row is left out when `batch_size` does not divide `num_rows`. The permutation
    of more than `most_listed` rows is not an array, but `feistel.permuted`.
    """
    epochs, places = np.divmod(step * batch_size + np.arange(batch_size)[part], num_rows)
    picked = np.empty(len(places), dtype=np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        if num_rows > most_listed:
            keys = _keys(seed, int(epoch))
            picked[here] = feistel.permuted(places[here], num_rows, keys)
        else:
            picked[here] = permutation(seed, int(epoch), num_rows)[places[here]]
    return picked


@functools.lru_cache(maxsize=4)
def _keys(seed: int, epoch: int) -> np.ndarray:
    """Those of the permutation of an epoch: uint64 (rounds,)."""
    return generator(seed, epoch).integers(1 << 64, size=feistel.ROUNDS, dtype=np.uint64)


def crop_rows(
    seed: int,
    step: int,
    batch_size: int,
    stream: np.ndarray,
    length: int,
    part: slice = slice(None),
) -> np.ndarray:
    """Rows cut from a token stream (N,) at uniform offsets: (B, length), or a part of them."""
    offsets = generator(seed, step).integers(len(stream) - length + 1, size=batch_size)
    return stream[offsets[part, None] + np.arange(length)]


def split_90_5_5(data: np.ndarray) -> dict[str, np.ndarray]:
    """The first 90 %, the next 5 % and the last 5 % of data (N, ...), as views."""
    train, validation = len(data) * 90 // 100, len(data) * 95 // 100
    return dict(zip(SPLITS, np.split(data, [train, validation]), strict=True))


def frequencies(data: np.ndarray, num_classes: int, block: int = 1 << 22) -> tuple[float, ...]:
    """Share of every class in integers (N, ...), add-one smoothed: (K,)."""
    counts, flat = np.ones(num_classes), data.reshape(-1)
    for start in range(0, len(flat), block):  # so that much data need no large temporaries
        counts += np.bincount(flat[start : start + block], minlength=num_classes)
    return tuple((counts / counts.sum()).tolist())
