"""Text as a dataset: an alphabet, a token stream per split, and rows of a fixed length.

`load(path)` makes one of your own file.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from amd_jax.data import characters
from amd_jax.data.dataset import SPLITS, check_split, crop_rows, epoch_rows


@dataclasses.dataclass(frozen=True, eq=False)
class Text:
    """Rows of `length` characters, each character one token.

    Token k is `alphabet[k]`; without an alphabet the tokens are the 256 byte values of utf-8.
    """

    alphabet: str | None
    length: int
    read: Callable[[str], np.ndarray]  # split -> tokens (N,) uint8; called once per split, late
    crops: bool = False  # batches at random offsets, or a permutation of the rows each epoch?
    name: str = "text"
    _streams: dict[str, np.ndarray] = dataclasses.field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self):
        """Check what can be checked without the data."""
        if self.length < 1:
            raise ValueError(f"Rows need a length of at least 1; got {self.length}.")
        if self.alphabet is not None:
            characters.check_alphabet(self.alphabet, self.name)

    @property
    def num_classes(self) -> int:
        """Number of symbols, K."""
        return 256 if self.alphabet is None else len(self.alphabet)

    @property
    def unit(self) -> str:
        """What a token is called where bits are counted: "char" or "byte"."""
        return "byte" if self.alphabet is None else "char"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one row: (length,)."""
        return (self.length,)

    def stream(self, split: str) -> np.ndarray:
        """Tokens of a split in one piece: uint8 (N,)."""
        check_split(split)
        if split not in self._streams:
            tokens = np.asarray(self.read(split))
            if len(tokens) < self.length:
                raise ValueError(
                    f"A split needs one row of {self.length} characters; {split} of {self.name} "
                    f"has {len(tokens)}. Use a smaller length."
                )
            self._streams[split] = tokens
        return self._streams[split]

    def rows(self, split: str) -> np.ndarray:
        """Every row of a split, in order and without overlap: uint8 (N, length), a view.

        Characters after the last whole row are dropped.
        """
        stream = self.stream(split)
        return stream[: len(stream) // self.length * self.length].reshape(-1, self.length)

    def batch(self, seed: int, step: int, batch_size: int) -> np.ndarray:
        """Training rows, uint8 (B, length): a pure function of (seed, step)."""
        if self.crops:
            return crop_rows(seed, step, batch_size, self.stream("train"), self.length)
        rows = self.rows("train")
        return rows[epoch_rows(seed, step, batch_size, len(rows))]

    def encode(self, text: str) -> np.ndarray:
        """Tokens of a text, uint8 (L,). ValueError names a character outside the alphabet."""
        if self.alphabet is None:
            return np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
        return characters.encode(text, self.alphabet)

    def decode(self, tokens: Sequence[int] | np.ndarray) -> str:
        """Text of tokens (L,). Bytes that are not utf-8 show as the replacement character."""
        tokens = np.asarray(tokens)
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.num_classes:
            raise ValueError(
                f"Tokens must lie in 0, ..., {self.num_classes - 1}; "
                f"got {tokens.min()} to {tokens.max()}."
            )
        if self.alphabet is None:
            return tokens.astype(np.uint8).tobytes().decode("utf-8", errors="replace")
        return characters.decode(tokens, self.alphabet)

    def frequencies(self) -> np.ndarray:
        """Share of every symbol in the training text, add-one smoothed: float64 (K,)."""
        counts = np.ones(self.num_classes)
        stream = self.stream("train")
        for block in range(0, len(stream), characters.BLOCK):
            part = stream[block : block + characters.BLOCK]
            counts += np.bincount(part, minlength=self.num_classes)
        return counts / counts.sum()

    def summary(self) -> str:
        """Name, sizes of the splits in characters, and the alphabet. It reads the data."""
        sizes = ", ".join(f"{split} {len(self.stream(split)):,}" for split in SPLITS)
        symbols = "raw bytes" if self.alphabet is None else repr(self.alphabet)
        return (
            f"{self.name}: {sizes} {self.unit}s, rows of {self.length}\n"
            f"alphabet of {self.num_classes}: {symbols}"
        )


def split_90_5_5(stream: np.ndarray) -> dict[str, np.ndarray]:
    """The first 90 %, the next 5 % and the last 5 % of a token stream (N,), as views."""
    train, validation = len(stream) * 90 // 100, len(stream) * 95 // 100
    return dict(zip(SPLITS, np.split(stream, [train, validation]), strict=True))


def load(path: str, length: int = 256, raw_bytes: bool = False, crops: bool = True) -> Text:
    """Your own text file, split 90/5/5 in order.

    The alphabet is every character that occurs in the file, sorted; the tokens take a byte of
    memory per character. With `raw_bytes` its bytes are the tokens, mapped into memory.

    Raises:
        ValueError: if it is missing, a folder, not utf-8, too short, or has over 256 symbols.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        found = "a folder" if file.is_dir() else "nothing"
        raise ValueError(f"The text must be a file; found {found} at {path}. Check the path.")
    if file.stat().st_size == 0:
        raise ValueError(f"The text must not be empty; {path} has 0 bytes. Use another file.")
    if raw_bytes:
        alphabet, stream = None, np.memmap(file, dtype=np.uint8, mode="r")
    else:
        alphabet, stream = characters.read_file(file)
    splits = split_90_5_5(stream)
    shortest = min(map(len, splits.values()))
    if shortest < length:
        raise ValueError(
            f"Each split (90/5/5) needs one row of {length} characters, so the file about "
            f"{20 * length}; {path} has {len(stream)}. Use a longer file or a smaller length."
        )
    return Text(alphabet, length, splits.__getitem__, crops=crops, name=file.name)
