"""Reads files of characters as tokens, one byte each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from amd_jax.data.reading import files
from amd_jax.facts import UNKNOWN_SIGN
from amd_jax.host import memory

BLOCK = 1 << 22  # characters read at a time, so that a large file needs no large temporaries
CODE_POINTS = 0x110000  # of Unicode
BYTE = np.dtype(np.uint8)
MOST_EDITED = 1 << 24  # bytes of a text that is edited: it is in memory several times


def check_alphabet(alphabet: str, owner: str) -> None:
    """Raise ValueError unless the alphabet (K,) has 2 to 256 symbols, each of them once."""
    if not 2 <= len(alphabet) <= 256:
        raise ValueError(
            f"An alphabet has 2 to 256 symbols; {owner} has {len(alphabet)}. "
            "Let rare ones share one (min_count=10), or use raw bytes (raw_bytes=True)."
        )
    if len(set(alphabet)) < len(alphabet):
        raise ValueError(f"The symbols of an alphabet differ; {owner} has {alphabet!r}.")


def alphabet_of(counts: np.ndarray, min_count: int) -> str:
    """The characters counted (CODE_POINTS,) `min_count` times, sorted; U+FFFD if others occur."""
    kept = np.flatnonzero(counts >= max(1, min_count))
    symbols = {*map(chr, kept.tolist())}
    if counts[kept].sum() < counts.sum():
        symbols.add(UNKNOWN_SIGN)
    return "".join(sorted(symbols))


def encode(text: str, alphabet: str) -> np.ndarray:
    """Tokens of a text of this alphabet, uint8 (L,): token k stands for `alphabet[k]`."""
    return token_table(alphabet)[code_points(text)]


def read_file(file: Path, min_count: int = 1) -> tuple[str, np.ndarray]:
    """Alphabet of a utf-8 file, every character that occurs, sorted; and its tokens, uint8 (N,).

    Every line end is one line feed. Characters that occur less often than `min_count` become
    U+FFFD.

    Raises:
        ValueError: if the file is not utf-8, or has fewer than 2 or more than 256 symbols.
    """
    memory.check(
        file.stat().st_size,
        f"The tokens of {file}",
        "Use its raw bytes (raw_bytes=True), which stay on the disk.",
    )
    counts, size = np.zeros(CODE_POINTS, np.int64), 0
    for block in _blocks(file):
        counts += np.bincount(code_points(block), minlength=CODE_POINTS)
        size += len(block)
    alphabet = alphabet_of(counts, min_count)
    check_alphabet(alphabet, str(file))
    table = token_table(alphabet, default=max(0, alphabet.find(UNKNOWN_SIGN)))
    tokens, filled = np.empty(size, dtype=np.uint8), 0
    for block in _blocks(file):
        tokens[filled : filled + len(block)] = table[code_points(block)]
        filled += len(block)
    return alphabet, tokens


def read_text(file: Path, rule: str) -> str:
    """The text of a utf-8 file that is to be edited; `rule` begins what is said of another one.

    Raises:
        ValueError: if it is no file, too long, or not utf-8.
    """
    size = file.stat().st_size
    files.check_file(file, rule)
    if size > MOST_EDITED:
        raise ValueError(
            f"{rule} of at most {MOST_EDITED:,} bytes; {file} has {size:,}. Give it in parts."
        )
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{rule} and must be utf-8; {file} is not: {error.reason}. Save it as utf-8."
        ) from error


def _blocks(file: Path) -> Iterator[str]:
    """The text of a utf-8 file, piece by piece, every line end a line feed."""
    with file.open(encoding="utf-8-sig") as handle:
        try:
            while block := handle.read(BLOCK):
                yield block
        except UnicodeDecodeError as error:
            raise ValueError(
                f"The text must be utf-8; {file} holds the byte {error.object[error.start]:#04x} "
                "where it may not stand. Use its raw bytes (raw_bytes=True)."
            ) from error


def code_points(text: str) -> np.ndarray:
    """Unicode code points of a text, uint32 (L,)."""
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def token_table(alphabet: str, default: int = 0, kind: np.dtype = BYTE) -> np.ndarray:
    """Token of every code point, (CODE_POINTS,) of a type; `default` outside the alphabet."""
    table = np.full(CODE_POINTS, default, kind)
    table[code_points(alphabet)] = np.arange(len(alphabet))
    return table
