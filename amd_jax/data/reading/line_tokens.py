"""Encodes lines as padded rows of tokens, many at a time."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Integer

from amd_jax.data.reading import characters
from amd_jax.facts import UNKNOWN_SIGN

BLOCK = 1 << 14  # lines that become tokens at a time


def symbols(lines: Sequence[str], min_count: int = 1) -> str:
    """The characters of lines that occur `min_count` times, sorted; U+FFFD if there are others."""
    counts = np.zeros(characters.CODE_POINTS, np.int64)
    for block in _blocks(lines):
        found = np.bincount(characters.code_points("".join(block)))
        counts[: len(found)] += found
    return characters.alphabet_of(counts, min_count)


def encode(
    lines: Sequence[str], symbols: str, length: int, kind: np.dtype = characters.BYTE
) -> Integer[np.ndarray, "N L"]:
    """Tokens of lines, (N, length) of a type: of a character its place among `symbols`.

    After the last one stands padding, len(symbols). A character that is none of the symbols
    becomes U+FFFD, which has to be one of them then.
    """
    table = characters.token_table(symbols, max(0, symbols.find(UNKNOWN_SIGN)), kind)
    x = np.full((len(lines), length), len(symbols), kind)
    done = 0
    for block in _blocks(lines):
        lengths = np.fromiter(map(len, block), np.int64)
        part = x[done : done + len(block)]
        part[np.arange(length) < lengths[:, None]] = table[characters.code_points("".join(block))]
        done += len(block)
    return x


def _blocks(lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """Some lines at a time."""
    return (lines[start : start + BLOCK] for start in range(0, len(lines), BLOCK))
