"""Texts with gaps, filled by a diffusion of masks: --mode=infill."""

from typing import Any

import jax
import numpy as np

from amd_jax.evaluation import gallery
from amd_jax.experiment import Run
from amd_jax.facts import TextFacts
from amd_jax.types import Params

from .flags import Asked


def infill(run: Run, params: Params, asked: Asked, sampler: Any) -> None:
    """Prints a text whose gaps are filled, several times, and how probable each filling is."""
    if not hasattr(run.model, "infill"):
        kind = type(run.model).__name__
        raise ValueError(
            f"--mode=infill is for a diffusion of masks; this experiment has a {kind}."
        )
    x, known = _with_gaps(run.facts, asked.text, asked.gap)
    (length,) = run.facts.event_shape
    rows, shown = (asked.num_samples or 4, 1), len(x)
    padded = np.tile(np.pad(x, (0, length - shown)), rows)
    known, wanted = (np.tile(np.pad(a, (0, length - shown)), rows) for a in (known, ~known))
    drawn, nats = gallery.infilled(
        *(run.model, params, jax.random.key(asked.seed), padded, known, wanted),
        sampler=sampler,
    )
    bits, gaps = -np.asarray(nats) / np.log(2), wanted[0, :shown]
    for i in np.argsort(bits, kind="stable"):
        print(f"{bits[i]:.1f} bits, {bits[i] / gaps.sum():.2f} a {run.facts.unit}:")
        pieces, signs = run.facts.pieces(drawn[i, :shown]), "".join(" ^"[gap] for gap in gaps * 1)
        print(gallery.wrapped(*gallery.aligned(pieces, signs)))


def _with_gaps(facts: Any, text: str | None, gap: str) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of a text (L,), and where they are known, bool (L,); ValueError for no gap."""
    if text is None or not isinstance(facts, TextFacts):
        raise ValueError(
            "--mode=infill takes a text with gaps, for a model of texts: "
            f'--text="the {4 * gap} of the".'
        )
    if len(gap) != 1 or gap in (facts.alphabet or ""):
        raise ValueError(
            f"A gap is one character that the data do not have; got {gap!r}. Give another --gap."
        )
    if gap not in text:
        raise ValueError(f"The text has no gap. Write {gap} for every unknown character.")
    whole = facts.decode([0]) if facts.alphabet else " "
    x = facts.encode(text.replace(gap, whole))
    (length,) = facts.event_shape
    if len(x) > length:
        raise ValueError(
            f"The model is of texts of {length} {facts.unit}s; got {len(x)}. Give a shorter one."
        )
    if facts.alphabet is None and len(x) != len(text):
        raise ValueError(
            "A text with gaps for a model of bytes is in ASCII. Leave the others out."
        )
    return x, np.array([character != gap for character in text])
