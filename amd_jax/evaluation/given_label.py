"""Checks that a model can draw rows given their label."""

from amd_jax.evaluation.tables import conditional
from amd_jax.facts import LineFacts, MapFacts
from amd_jax.models import Diffusion, declared
from amd_jax.types import Model

EXPERIMENTS = {LineFacts.kind: "own_lines", MapFacts.kind: "own_maps_masked"}


def check(model: Model, facts: LineFacts | MapFacts) -> Diffusion:
    """The model, if it is a masked diffusion of rows with labels; else ValueError."""
    if not facts.labels:
        raise ValueError(
            f"The {facts.rows} of {facts.name} have no labels. Train with some: "
            "--config.data.label=NAME."
        )
    if not conditional.admits(model):
        raise ValueError(
            f"{facts.rows.capitalize()} with a label are drawn by masked diffusion, which may "
            f"know the label first; this is {declared.kind(model)} without masks. Train "
            f"{EXPERIMENTS[facts.kind]}."
        )
    assert isinstance(model, Diffusion)
    return model
