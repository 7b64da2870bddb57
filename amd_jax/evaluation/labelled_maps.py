"""Maps given their label, of a masked diffusion: draws, and guidance."""

import jax
import numpy as np
from jaxtyping import Int32

from amd_jax.diffusion.samplers import Guided
from amd_jax.evaluation import gallery, given_label, guided_rows
from amd_jax.evaluation.guided_rows import GuidedRows
from amd_jax.facts import MapFacts
from amd_jax.options import Named
from amd_jax.types import Model, Params


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
    checked, x = given_label.check(model, facts), np.stack([given(facts, label)] * number)
    return gallery.filled(checked, params, jax.random.key(seed), x, sampler)


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

    As `evaluation.lines.labelled.guided` does for lines: same arguments, same errors.
    """
    checked, row = given_label.check(model, facts), given(facts, label)
    return guided_rows.towards(checked, params, row, number, sampler, seed)
