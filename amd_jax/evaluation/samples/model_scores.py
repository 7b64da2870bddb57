"""The scores of a model: of its samples, and of how it fills gaps."""

import jax
import numpy as np

from amd_jax.evaluation import gallery
from amd_jax.evaluation.filling import Gaps
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.evaluation.samples import brier, draws
from amd_jax.evaluation.samples.data_scores import Scores
from amd_jax.evaluation.samples.draws import Figure
from amd_jax.models import Diffusion, declared
from amd_jax.options import Named
from amd_jax.types import Key, Model, Params, Sampler


def fills(scores: Scores, model: Model) -> bool:
    """Whether there are gaps in such data, and the model fills them."""
    fills_gaps = isinstance(model, Diffusion) and declared.fills_gaps(model)
    return fills_gaps and scores.trial is not None


def names(scores: Scores, model: Model) -> list[str]:
    """What `of` has."""
    return [*scores.names, *(["brier"] if fills(scores, model) else [])]


def of(
    scores: Scores, model: Model, params: Params, rng: Key, sampler: Named | None = None
) -> dict[str, Figure]:
    """The scores of as many samples as stand beside them, and of fillings if the model `fills`.

    By a sampler, or in the model's own way.
    """
    rng_samples, rng_gaps = jax.random.split(rng)
    repeats, size, *event = scores.rows.real.shape
    shape = (repeats * size, *event)
    drawn = gallery.samples(model, params, rng_samples, shape, sampler)
    result = scores.of(draws.divided(drawn, repeats))
    if fills(scores, model):
        assert isinstance(model, Diffusion)  # or it filled none
        assert sampler is None or isinstance(sampler, Sampler)
        assert scores.trial is not None
        filled = of_fillings(model, params, rng_gaps, *scores.trial, sampler)
        result["brier"] = Figure(*filled.mean())
    return result


def of_fillings(
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
