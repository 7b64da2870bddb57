"""The share of a generated text that is made of real words."""

import re
from collections.abc import Sequence

import numpy as np

from amd_jax.evaluation import means

_WORD = re.compile(r"\w+")


def share_of_known_words(
    samples: Sequence[str], train_text: str, *, independent: bool = True
) -> tuple[float, float]:
    """Share, in [0, 1], of the samples' words that occur in the training text, and its error.

    A word that touches either end of its sample may be cut off and is left out; without any whole
    word the share is 0. Compare it with the share of held-out text, which is below 1, and whose
    rows are not `independent`.
    """
    vocabulary = {match[0] for match in _WORD.finditer(train_text)}
    counts = np.array([_counted(sample, vocabulary) for sample in samples])
    return means.ratio(*counts[counts[:, 1] > 0].T, independent=independent)


def _counted(sample: str, vocabulary: set[str]) -> tuple[int, int]:
    """How many whole words of a sample are known, and how many there are."""
    words = [m for m in _WORD.finditer(sample) if m.start() > 0 and m.end() < len(sample)]
    return sum(m[0] in vocabulary for m in words), len(words)
