"""Reverse bits: how well samples teach a count model the real text.

A count model of order n (`count_models`) is fitted to samples x, and scored on M test tokens y:

    -1/M Σ_m log₂ p(y_m | y_{m-n} ... y_{m-1}; x).

Samples that lack what the test text has cost bits, and so do samples full of what it has not
(after Zhao et al., 2018, sec. 5.2, who fit a recurrent network). Lower is better. It falls with
the number of samples, so the same of as many real rows stands beside it, and sets of one size only
are compared.
"""

from amd_jax.evaluation import count_models
from amd_jax.evaluation.count_models import Test
from amd_jax.evaluation.means import PerRow, Rows

ORDER = 6


def of_rows(samples: Rows, test: Test, num_classes: int, order: int = ORDER) -> PerRow:
    """Bits of each test row (M, L) by a count model of samples (N, L), and its tokens."""
    return count_models.bits_of_rows(samples.ravel(), test, num_classes, order)


def of(samples: Rows, test: Test, num_classes: int, order: int = ORDER) -> float:
    """The same per token."""
    return of_rows(samples, test, num_classes, order).mean()[0]
