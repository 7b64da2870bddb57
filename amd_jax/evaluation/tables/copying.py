"""Whether samples are copies of training rows.

Real rows coincide, too, in a table of few columns: so the share of samples that are training rows
is to be compared with the share of held-out rows that are. And a model that has memorised needs
fewer bits for training rows than for held-out ones.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Integer

from amd_jax.evaluation import means
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.tables.laws import Rows

BLOCK = 1_000_000  # training rows that are read at a time

Known = Integer[np.ndarray, "T L"]


class Copies(NamedTuple):
    """Shares of rows that are rows of the training split, each with its standard error."""

    drawn: tuple[float, float]
    held_out: tuple[float, float]

    @property
    def excess(self) -> tuple[float, float]:
        """How much higher the share of samples is, and its error."""
        (drawn, error), (held_out, other) = self
        return drawn - held_out, float(np.hypot(error, other))


def copies(drawn: Rows, train: Known, held_out: Integer[np.ndarray, "H L"]) -> Copies:
    """The share of exact training rows among samples, and among held-out rows."""
    both = are_among(drawn, train), are_among(held_out, train)
    return Copies(*(means.of(found, independent=True) for found in both))


def are_among(rows: Rows, train: Known) -> Bool[np.ndarray, "N"]:
    """Which rows are rows of the training split, token by token."""
    wanted = _bytes(rows)
    missing = set(wanted)
    found: set[bytes] = set()
    for start in range(0, len(train), BLOCK):
        found |= missing.intersection(_bytes(train[start : start + BLOCK]))
    return np.array([row in found for row in wanted], bool)


def memorised(train: PerRow, held_out: PerRow) -> tuple[float, float]:
    """How many bits fewer training rows take than held-out rows, and its error."""
    (seen, error), (unseen, other) = train.mean(), held_out.mean()
    return unseen - seen, float(np.hypot(error, other))


def _bytes(rows: Rows) -> list[bytes]:
    """Each row as bytes."""
    whole = np.ascontiguousarray(rows, np.int32)
    return [row.tobytes() for row in whole]
