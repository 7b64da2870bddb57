"""Diversity: how much the samples of a model differ from each other."""

import numpy as np

from amd_jax.evaluation.means import Rows

GRAM = 4  # tokens beside each other


def share_of_distinct(rows: Rows, length: int = GRAM) -> float:
    """Share, in [0, 1], of different ones among all pieces of `length` tokens.

    It falls with the number of rows, so compare sets of one size only (Li et al., 2016, sec. 5, of
    words). Rows shorter than a piece have none: the share is then 0.
    """
    tokens = np.reshape(rows, (len(rows), -1))
    if tokens.shape[1] < length:
        return 0.0
    pieces = np.lib.stride_tricks.sliding_window_view(tokens, length, axis=1).reshape(-1, length)
    return len(np.unique(pieces, axis=0)) / len(pieces)
