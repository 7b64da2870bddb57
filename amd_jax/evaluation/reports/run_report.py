"""Reports on a trained model, in lines: bits, and what fits the kind of its data."""

from pathlib import Path

import jax
import numpy as np

from amd_jax.evaluation import correction, likelihood, means
from amd_jax.evaluation.reports.line_report import LineReport
from amd_jax.evaluation.reports.map_report import MapReport
from amd_jax.evaluation.reports.plain_report import PlainReport
from amd_jax.evaluation.reports.point_report import PointReport
from amd_jax.evaluation.reports.table_report import TableReport
from amd_jax.evaluation.reports.text_report import TextReport
from amd_jax.evaluation.reports.token_report import TokenReport
from amd_jax.facts import (
    Facts,
    Json,
    LineFacts,
    MapFacts,
    PlaneFacts,
    TableFacts,
    TextFacts,
    TokenFacts,
)
from amd_jax.models import bounds
from amd_jax.models.declared import Corrector
from amd_jax.types import Bound, Dataset, Model, Params

REPORTS = {
    LineFacts: LineReport,
    TextFacts: TextReport,
    MapFacts: MapReport,
    PlaneFacts: PointReport,
    TableFacts: TableReport,
    TokenFacts: TokenReport,
    Facts: PlainReport,
}


def of(facts: Facts) -> PlainReport:
    """The report for a kind of data; ValueError for what is no `Facts`."""
    for kind, report in REPORTS.items():
        if isinstance(facts, kind):
            return report(facts)
    raise ValueError(
        f"A report is on the facts of data (amd_jax.facts.Facts); got a {type(facts).__name__}."
    )


def bits(
    model: Model,
    params: Params,
    data: Dataset,
    *,
    split: str,
    number: int | None = None,
    bound: Bound | None = None,
    seed: int = 0,
) -> tuple[likelihood.Estimate, str]:
    """An estimate of -log p on a split with its standard error, by itself and as a line.

    Of the first `number` rows, or all; by the default of the model unless a bound is given. A
    second line says so if the model is worse than the uniform law. Of a bound from both sides a
    line has the other one, unless the draws of a row are worth fewer than `means.EFFECTIVE`.
    """
    bound = bounds.of(model)[0] if bound is None else bound
    facts, rows = data.facts, data.rows(split)[:number]
    result = likelihood.bits(bound, model, params, jax.random.key(seed), rows, facts)
    rows_and_bound = f"{result.examples} {facts.rows} ({bound.describe(model)})"
    line = f"{split}: {result} bits/{facts.unit} on {rows_and_bound}"
    uniform = facts.uniform_bits
    if not result.bits < uniform + 3 * np.nan_to_num(result.error):
        line += (
            f"\nThat is worse than the uniform law ({uniform:.3f} bits/{facts.unit}): this has "
            "not learnt. Train longer, or with a smaller learning rate."
        )
    if (other := result.other_side) is None:
        return result, line
    if other.effective < means.EFFECTIVE:
        said = f"no figure, as that needs {means.EFFECTIVE:g}: take more draws, or shorter rows"
        result = result._replace(other_side=None)
    else:
        said = (
            f"at least {means.shown(*other.per_row.mean())} bits/{facts.unit}\n"
            f"so these rows have {other.low:.3f} to {other.high:.3f} bits/{facts.unit}: each side "
            "holds in expectation, and two standard errors of the draws are added to it"
        )
    line += f"\nfrom the other side, with {other.effective:.1f} effective draws of each: {said}"
    return result, line


def question(bound: Bound, model: Model, facts: Facts) -> Json:
    """What is asked by a bound: fields of its `Measurement`."""
    method = bound.describe(model)
    return {"bound": bound.name, "method": method, "exact": bound.exact, "unit": facts.unit}


def restoration(
    edit: Corrector,
    model: Model,
    params: Params,
    data: Dataset,
    stem: Path | None,
    *,
    split: str,
    number: int | None = None,
    seed: int = 0,
) -> tuple[correction.Trial, list[str]]:
    """Correction where the truth is known: a share of the tokens of a split replaced at random.

    By the denoising posterior, and by the raw guess beside it; then the first rows.
    """
    rows, facts = data.rows(split)[: number or correction.ROWS], data.facts
    trial = correction.trial(edit, model, params, rows, facts, seed)
    size = round(float(facts.inside(rows).sum()) / len(rows))
    return trial, [
        f"correction of {len(rows)} {split} {facts.rows}, in each {trial.errors} of "
        f"{size} {facts.token}s replaced at random:\n{trial}",
        *of(facts).corrected(trial.damaged, trial.restored, rows, stem),
    ]
