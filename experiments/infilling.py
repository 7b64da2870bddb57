"""Gaps of a text, or a hole in a map, filled by a diffusion: --mode=infill."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from amd_jax.evaluation import gallery, report
from amd_jax.experiment import Run
from amd_jax.types import Params

from . import given
from .flags import Asked


def infill(run: Run, params: Params, asked: Asked, sampler: Any, place: Path | None) -> None:
    """Shows several fillings of what is unknown; with masks the likely ones first, and how so."""
    if not hasattr(run.model, "infill"):
        kind = type(run.model).__name__
        raise ValueError(f"--mode=infill is for a diffusion; this experiment has a {kind}.")
    row = given.partly(run.facts, asked)
    rows = (np.stack([part] * (asked.num_samples or 4)) for part in row)
    rng = jax.random.key(asked.seed)
    drawn, nats = gallery.infilled(run.model, params, rng, *rows, sampler=sampler)
    drawn, told = np.asarray(drawn), [f"filling {i + 1}" for i in range(len(drawn))]
    if nats is not None:
        bits = -np.asarray(nats) / np.log(2)
        likely, number = np.argsort(bits, kind="stable"), row.wanted.sum()
        drawn, sure = drawn[likely], [f"{b:.1f} bits, {b / number:.2f} a" for b in bits[likely]]
        told = [f"{one}: {how} {run.facts.unit}" for one, how in zip(told, sure, strict=True)]
    print("\n".join(report.of(run.facts).filled(*row, drawn, told, place)))
