"""The embedded text: the help topics of Python itself, in text8's alphabet.

Every Python carries them (`help("if")` shows one), so a quick run needs no download. They make
about 300 thousand characters of English, a few more with each version of Python.
"""

import functools
import re
import zlib

import numpy as np

from amd_jax.data.dataset import SPLITS, split_90_5_5
from amd_jax.data.reading import characters
from amd_jax.data.text import Text

ALPHABET = " abcdefghijklmnopqrstuvwxyz"
NUM_CLASSES = len(ALPHABET)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PIECE = 12  # paragraphs that stay together: about 1,800 characters


def load(length: int = 256, crops: bool = True) -> Text:
    """Rows of the embedded text, split 90/5/5."""
    streams = {split: functools.partial(_read, split) for split in SPLITS}
    return Text(ALPHABET, length, streams, crops=crops, name="stdlib_docs")


def normalize(text: str) -> str:
    """Text in text8's alphabet: lower case, digits spelled out, all else a single space.

    Source: wikifil.pl in Mahoney, "About the test data", mattmahoney.net/dc/textdata.html.
    """
    spelled = re.sub("[0-9]", lambda digit: f" {DIGITS[int(digit[0])]} ", text.lower())
    return re.sub("[^a-z]+", " ", spelled).strip()


def document() -> str:
    """The whole text: no paragraph twice, in pieces whose order has no meaning.

    The topics quote each other (a fifth of their text), which would leak from one split into
    another. Ordering by checksum mixes the splits, and hardly depends on the version of Python.
    """
    from pydoc_data.topics import topics

    seen, pieces = set(), []
    for _, topic in sorted(topics.items()):
        paragraphs = dict.fromkeys(map(normalize, topic.split("\n\n")))
        new = [text for text in paragraphs if text and text not in seen]
        seen.update(new)
        pieces += [" ".join(new[i : i + PIECE]) for i in range(0, len(new), PIECE)]
    return " ".join(sorted(pieces, key=lambda piece: (zlib.crc32(piece.encode()), piece)))


@functools.cache
def _splits() -> dict[str, np.ndarray]:
    return split_90_5_5(characters.encode(document(), ALPHABET))


def _read(split: str) -> np.ndarray:
    return _splits()[split]
