"""The Brier score of a model's fillings of gaps."""

import jax
import numpy as np

from amd_jax.evaluation import gallery
from amd_jax.evaluation.filling import Gaps
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.evaluation.samples import brier
from amd_jax.models import Diffusion
from amd_jax.types import Key, Params, Sampler


def score(
    model: Diffusion,
    params: Params,
    rng: Key,
    rows: Rows,
    hidden: Gaps,
    sampler: Sampler | None = None,
) -> PerRow:
    """The Brier score of two independent fillings of the gaps of each row (N, L)."""
    x = np.where(hidden, -1, rows)
    first, second = (
        gallery.filled(model, params, one, x, sampler) for one in jax.random.split(rng)
    )
    return brier.of_rows(rows, first, second, hidden)
