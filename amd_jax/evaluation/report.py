"""What a run says of a trained model, in lines: bits, and what fits the kind of its data."""

from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from amd_jax.evaluation import infill, likelihood
from amd_jax.evaluation.map_report import MapReport
from amd_jax.evaluation.plane import PointReport
from amd_jax.evaluation.text_report import TextReport
from amd_jax.models import Diffusion
from amd_jax.types import Model, Params


class Report(Protocol):
    """What can be told of one kind of data, in lines; pictures go to the workdir.

    To add a kind: a class with these members, and a line in `of`.
    """

    data: Any
    rows: str  # what its rows are called, such as "texts"
    num_samples: int  # how many are drawn unless a number is given

    def yardsticks(self, *, split: str, num_texts: int | None) -> str:
        """What simpler models reach on the same rows; empty if there are none."""

    def samples(
        self, model: Model, params: Params, workdir: Path, *, num_samples: int, seed: int
    ) -> str:
        """Samples, and how good they are."""

    def chain(self, model: Diffusion, params: Params, workdir: Path, *, seed: int) -> str:
        """Samples on their way from noise to data."""

    def tokens(self, text: str) -> np.ndarray:
        """A text of the user as tokens, int32 (L,); ValueError if it is none of this data."""

    def correction(self, model: Diffusion, params: Params, *, text: str, error_rate: float) -> str:
        """A text of the user with its probable errors corrected."""

    def restored(self, trial: infill.Trial, rows: np.ndarray, workdir: Path) -> str:
        """Some of the rows (N, ...) of a trial: damaged, and corrected."""


def of(data: Any) -> Report:
    """The report on a data set: texts have a stream, maps a palette, and all else is points."""
    if hasattr(data, "stream"):
        return TextReport(data)
    return MapReport(data) if hasattr(data, "palette") else PointReport(data)


def bits(
    model: Model,
    params: Params,
    data: Any,
    *,
    split: str,
    num_texts: int | None,
    exact: bool,
    seed: int,
) -> tuple[likelihood.Estimate, str]:
    """The bound on a split with its standard error, as an estimate and as a line."""
    rows = data.rows(split)[:num_texts]
    rng = jax.random.key(seed)
    if exact:
        found = likelihood.elbo_of_all_steps(model, params, rng, rows, data.num_classes)
        how = f"all {model.steps} steps"
    elif isinstance(model, Diffusion):
        found = likelihood.elbo(model, params, rng, rows, data.num_classes)
        how = f"{model.steps} steps, {likelihood.DRAWS} drawn each"
    else:
        found = likelihood.elbo(model, params, rng, rows, data.num_classes, draws=1)
        how = "evidence lower bound, one draw each"
    return found, _line(data, split, found, how)


def importance_weighted(
    model: Model,
    params: Params,
    data: Any,
    *,
    split: str,
    num_texts: int | None,
    importance_samples: int,
    seed: int,
) -> str:
    """The importance-weighted bound on a split with its standard error, as a line."""
    rows = data.rows(split)[:num_texts]
    found = likelihood.iwbo(
        model, params, jax.random.key(seed), rows, data.num_classes, importance_samples
    )
    return _line(data, split, found, f"importance-weighted bound, k = {importance_samples}")


def restoration(
    model: Diffusion,
    params: Params,
    data: Any,
    workdir: Path,
    *,
    split: str,
    num_texts: int | None,
    error_rate: float,
    seed: int,
) -> str:
    """Correction where the truth is known: a share of the tokens replaced at random.

    By the denoising posterior, and by the raw guess beside it; then the first rows.
    """
    rows, told = data.rows(split)[: num_texts or infill.ROWS], of(data)
    trial = infill.trial(model, params, rows, data.num_classes, seed, error_rate)
    return (
        f"correction of {len(rows)} {split} {told.rows}, in each {trial.errors} of {rows[0].size} "
        f"{data.unit}s replaced at random:\n{trial}\n{told.restored(trial, rows, workdir)}"
    )


def _line(data: Any, split: str, found: likelihood.Estimate, how: str) -> str:
    """Such as "test: 0.305 ± 0.002 bits/pixel on 500 maps (all 4000 steps)"."""
    return f"{split}: {found} bits/{data.unit} on {found.examples} {of(data).rows} ({how})"
