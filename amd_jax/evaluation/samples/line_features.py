"""Features of lines for a two-sample test: `text_features` for rows of any length."""

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.evaluation.lines import line_counts
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import text_features
from amd_jax.evaluation.samples.text_features import ORDERS
from amd_jax.facts import LineFacts

GRAMS = (1, 2, 3)


def of(
    facts: LineFacts, rows: Rows, fitted: Integer[np.ndarray, "T L"]
) -> Float[np.ndarray, "N F"]:
    """Features of lines (N, L), with counts of lines that are not among them.

    The logarithm of the length; of each order the mean and the most of the bits of a line's label,
    tokens and end; of each length of n-grams the share of those in a line that are different.
    """
    result = [np.log(facts.sizes(rows))]
    for order in ORDERS:
        bits, owners = line_counts.bits_of_tokens(facts, fitted, rows, order)
        most = np.zeros(len(rows))
        np.maximum.at(most, owners, bits)
        result += [np.bincount(owners, bits) / np.bincount(owners), most]
    inside = facts.inside(rows)
    result += [text_features.distinct(rows, n, inside) for n in GRAMS if n <= rows.shape[1]]
    return np.stack(result, axis=1)
