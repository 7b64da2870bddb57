"""Independent fillings of gaps by a model, and their Brier score."""

import functools

import jax
import numpy as np

from amd_jax.evaluation.filling import BATCH, Gaps
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.evaluation.samples import brier
from amd_jax.models import Diffusion
from amd_jax.types import Flags, Key, Params, Sampler, Tokens


def score(
    model: Diffusion,
    params: Params,
    rng: Key,
    rows: Rows,
    hidden: Gaps,
    sampler: Sampler | None = None,
) -> PerRow:
    """The Brier score of two fillings of the gaps of each row (N, L)."""
    x = np.asarray(rows, np.int32)
    first, second = (
        fillings(model, params, one, x, hidden, sampler) for one in jax.random.split(rng)
    )
    return brier.of_rows(x, first, second, hidden)


def fillings(
    model: Diffusion, params: Params, rng: Key, x: Rows, hidden: Gaps, sampler: Sampler | None
) -> Rows:
    """One filling of each row, int32 (N, L)."""
    drawn = []
    for i in range(0, len(x), BATCH):
        part = slice(i, i + BATCH)
        one = jax.random.fold_in(rng, i)
        drawn.append(np.asarray(_filled(model, sampler, params, one, x[part], ~hidden[part])))
    return np.concatenate(drawn)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _filled(
    model: Diffusion, sampler: Sampler | None, params: Params, rng: Key, x: Tokens, known: Flags
) -> Tokens:
    return model.infill(params, rng, x, known, sampler=sampler)
