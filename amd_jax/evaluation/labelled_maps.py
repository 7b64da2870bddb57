"""Maps given their label, of a masked diffusion: draws, and guidance."""

import numpy as np
from jaxtyping import Int32

from amd_jax.diffusion import kernels
from amd_jax.diffusion.samplers import Guided
from amd_jax.evaluation import gallery, guided_rows
from amd_jax.evaluation.guided_rows import GuidedRows
from amd_jax.facts import MapFacts
from amd_jax.models import Diffusion
from amd_jax.options import Named
from amd_jax.types import Model, Params


def check(model: Model, facts: MapFacts) -> Diffusion:
    """The model, if it is a masked diffusion of maps with labels; else ValueError."""
    if not facts.labels:
        raise ValueError(
            f"The maps of {facts.name} have no labels. Train with some: --config.data.label=human."
        )
    if not (isinstance(model, Diffusion) and kernels.is_masking(kernels.plain(model.kernel))):
        raise ValueError(
            "Maps with a label are drawn by masked diffusion, which may know the label first, and "
            f"this model is a {type(model).__name__} of other noise. Train own_maps_masked."
        )
    return model


def given(facts: MapFacts, label: str) -> Int32[np.ndarray, "L"]:
    """A row with a label whose pixels are unknown, -1. ValueError for an unknown label."""
    result = np.full(facts.event_shape, -1, np.int32)
    result[0] = facts.label_token(label)
    return result


def draws(
    model: Model,
    params: Params,
    facts: MapFacts,
    label: str,
    number: int,
    seed: int = 0,
    sampler: Named | None = None,
) -> Int32[np.ndarray, "N L"]:
    """`number` rows with a label: the pixels given the label, as exact as the sampler.

    Raises:
        ValueError: for an unknown label, maps without labels, or a model without masks.
    """
    model, row = check(model, facts), given(facts, label)
    return gallery.given(model, params, row, number, seed, sampler)


def guided(
    model: Model,
    params: Params,
    facts: MapFacts,
    label: str,
    number: int,
    sampler: Guided,
    seed: int = 0,
) -> GuidedRows:
    """`number` rows with a label, by guidance: p(map) p(label | map)^γ exp(reward) / Z.

    Args:
        model: a masked diffusion.
        params: its parameters.
        facts: of maps with labels.
        label: one of theirs.
        number: of maps.
        sampler: the strength γ, how many particles a map has, and a reward of rows, if any.
        seed: of all draws.

    Raises:
        ValueError: for an unknown label, maps without labels, a model without masks, or a reward
            that is no law.
    """
    model, row = check(model, facts), given(facts, label)
    return guided_rows.towards(model, params, row, number, sampler, seed)
