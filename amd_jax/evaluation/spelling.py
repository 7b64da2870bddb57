"""How much of a generated text is made of real words."""

import re
from collections.abc import Sequence

_WORD = re.compile(r"\w+")


def share_of_known_words(samples: Sequence[str], train_text: str) -> float:
    """Share, in [0, 1], of the words of the samples that occur in the training text.

    A word that touches either end of its sample may be cut off and is left out; without any whole
    word the share is 0. Compare it with the share of held-out text, which is below 1.
    """
    vocabulary = {match[0] for match in _WORD.finditer(train_text)}
    known = [
        match[0] in vocabulary
        for sample in samples
        for match in _WORD.finditer(sample)
        if match.start() > 0 and match.end() < len(sample)
    ]
    return sum(known) / len(known) if known else 0.0
