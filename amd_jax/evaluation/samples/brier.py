"""The Brier score of fillings, from two independent draws.

For a gap whose truth is y, and two independent fillings x₁ and x₂ of it,

    1{x₁ = y} + 1{x₂ = y} - 1{x₁ = x₂}

has the expectation 2 p(y) - Σ_x p(x)², of fillings of law p. Over truths of law q that is
Σ q² - Σ (p - q)²: the largest where p = q and nowhere else, so it is strictly proper (Brier, 1950;
Gneiting and Raftery, 2007, sec. 3). It takes draws only, and is unbiased. Higher is better.
"""

import numpy as np
from jaxtyping import Bool

from amd_jax.evaluation.filling import Gaps
from amd_jax.evaluation.means import PerRow, Rows

GRAM = 3  # tokens that are right or wrong together
GAP = 8  # tokens that are hidden


def of_rows(truth: Rows, first: Rows, second: Rows, hidden: Gaps, gram: int = GRAM) -> PerRow:
    """The score of two fillings of rows (N, L): its sum over the pieces of each gap, and those.

    Pieces are all runs of `gram` hidden tokens, each taken as one symbol: a filling whose single
    tokens are right, but not together, scores less. Raises ValueError where no gap has a piece.
    """
    whole = together(hidden, gram)
    if not whole.any():
        raise ValueError(f"A piece of {gram} tokens needs a gap of as many; all are shorter.")
    pairs = ((first, truth), (second, truth), (first, second))
    right, again, alike = (together(a == b, gram).astype(int) for a, b in pairs)
    return PerRow(((right + again - alike) * whole).sum(axis=1), whole.sum(axis=1))


def together(flags: Gaps, gram: int) -> Bool[np.ndarray, "N _"]:
    """Where `gram` tokens in a row are all True: (N, L) -> (N, L - gram + 1)."""
    if flags.shape[1] < gram:
        return np.zeros((len(flags), 0), bool)
    windows = np.lib.stride_tricks.sliding_window_view(flags, gram, axis=1)
    return np.asarray(windows.all(axis=-1))
