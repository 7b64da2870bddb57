"""Lines given their label, of a masked diffusion: the law of their length, and draws."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int32

from amd_jax.diffusion.samplers import mask_times
from amd_jax.evaluation.tables import conditional
from amd_jax.facts import LineFacts
from amd_jax.models import Diffusion
from amd_jax.types import Model, Params


def check(model: Model, facts: LineFacts) -> Diffusion:
    """The model, if it is a masked diffusion of lines with labels; else ValueError."""
    if not facts.labels:
        raise ValueError(
            f"The lines of {facts.name} have no labels. Train with a column of them: "
            "--config.data.label=class."
        )
    if not conditional.admits(model):
        raise ValueError(
            "Lines with a label are drawn by masked diffusion, which may know the label first, "
            f"and this model is a {type(model).__name__}. Train own_lines."
        )
    assert isinstance(model, Diffusion)
    return model


def lengths(model: Model, params: Params, facts: LineFacts, label: str) -> Float[np.ndarray, "L"]:
    """p(n | label) of n = 1, ..., L tokens: p(n) p(label | n), normalised.

    p(label | n) is what the network says of the label while the whole line is masked.
    """
    process = check(model, facts).open(params)
    token, n = facts.label_token(label), np.arange(1, facts.longest + 1)
    places = np.arange(facts.longest + 1)
    x = jnp.asarray(np.where(places <= n[:, None], process.kernel.num_classes, len(facts.symbols)))
    log_p = process.log_predict(x, mask_times.time_of(process, x))[:, 0, token]
    law = np.asarray(facts.length_frequencies) * np.exp(np.asarray(log_p, np.float64))
    return law / law.sum()


def draws(
    model: Model, params: Params, facts: LineFacts, label: str, number: int, seed: int = 0
) -> Int32[np.ndarray, "N L"]:
    """`number` lines with a label: the length given the label, then the tokens given both.

    Raises:
        ValueError: for an unknown label, lines without labels, or a model without masks.
    """
    law = lengths(model, params, facts, label)
    n = 1 + np.random.default_rng(seed).choice(facts.longest, number, p=law)
    x = np.where(np.arange(facts.longest + 1) <= n[:, None], -1, len(facts.symbols))
    x[:, 0] = facts.label_token(label)
    return conditional.filled(model, params, x.astype(np.int32), seed)
