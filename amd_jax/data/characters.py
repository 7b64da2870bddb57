"""Characters to tokens and back, one byte per token."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

BLOCK = 1 << 22  # characters read at a time, so that a large file needs no large temporaries
CODE_POINTS = 0x110000  # of Unicode


def check_alphabet(alphabet: str, owner: str) -> None:
    """Raise ValueError unless the alphabet (K,) has 2 to 256 symbols, each of them once."""
    if not 2 <= len(alphabet) <= 256:
        raise ValueError(
            f"An alphabet has 2 to 256 symbols; {owner} has {len(alphabet)}. "
            "Use raw bytes (raw_bytes=True, --config.data.raw_bytes)."
        )
    if len(set(alphabet)) < len(alphabet):
        raise ValueError(f"The symbols of an alphabet differ; {owner} has {alphabet!r}.")


def encode(text: str, alphabet: str) -> np.ndarray:
    """Tokens of a text, uint8 (L,): token k stands for `alphabet[k]`.

    Raises:
        ValueError: at a character outside the alphabet; names it and its position.
    """
    known = set(alphabet)
    for position, character in enumerate(text):
        if character not in known:
            raise ValueError(
                f"Every character must be in the alphabet {alphabet!r}; "
                f"got {character!r} at position {position}."
            )
    return _table(alphabet)[_code_points(text)]


def decode(tokens: np.ndarray, alphabet: str) -> str:
    """Text of tokens (L,)."""
    return _code_points(alphabet)[tokens].tobytes().decode("utf-32-le")


def read_file(file: Path) -> tuple[str, np.ndarray]:
    """Alphabet of a utf-8 file, every character that occurs, sorted; and its tokens, uint8 (N,).

    Raises:
        ValueError: if the file is not utf-8, or has fewer than 2 or more than 256 symbols.
    """
    seen, size = np.zeros(CODE_POINTS, dtype=bool), 0
    for block in _blocks(file):
        seen[_code_points(block)] = True
        size += len(block)
    alphabet = "".join(map(chr, np.flatnonzero(seen)))
    check_alphabet(alphabet, str(file))
    table, tokens, filled = _table(alphabet), np.empty(size, dtype=np.uint8), 0
    for block in _blocks(file):
        tokens[filled : filled + len(block)] = table[_code_points(block)]
        filled += len(block)
    return alphabet, tokens


def _blocks(file: Path) -> Iterator[str]:
    """The text of a utf-8 file, piece by piece, its line ends as they are."""
    with file.open(encoding="utf-8-sig", newline="") as handle:
        try:
            while block := handle.read(BLOCK):
                yield block
        except UnicodeDecodeError as error:
            raise ValueError(
                f"The text must be utf-8; {file} holds the byte {error.object[error.start]:#04x} "
                "where it may not stand. Use raw bytes (raw_bytes=True, --config.data.raw_bytes)."
            ) from error


def _code_points(text: str) -> np.ndarray:
    """Unicode code points of a text, uint32 (L,)."""
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def _table(alphabet: str) -> np.ndarray:
    """Token of every code point, uint8 (CODE_POINTS,); 0 outside the alphabet."""
    table = np.zeros(CODE_POINTS, dtype=np.uint8)
    table[_code_points(alphabet)] = np.arange(len(alphabet))
    return table
