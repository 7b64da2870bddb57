"""`--mode=evaluate --what=samples`: scores of samples, beside the data and nonsense."""

import dataclasses
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from amd_jax import options
from amd_jax.cli.flags import one
from amd_jax.cli.mode_options import Evaluate
from amd_jax.cli.run_session import Session
from amd_jax.evaluation import gallery
from amd_jax.evaluation.filling import Gaps
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.samples import (
    draws,
    model_fillings,
    reverse_bits,
    score_kinds,
    score_table,
    text_scores,
)
from amd_jax.evaluation.samples.data_scores import Scores
from amd_jax.evaluation.samples.draws import Figure
from amd_jax.evaluation.samples.score_table import Row
from amd_jax.evaluation.samples.text_scores import TextScores
from amd_jax.evaluation.tables import features
from amd_jax.models import Diffusion, declared
from amd_jax.options import Named
from amd_jax.types import Sampler

SAMPLES = 128  # of each sampler, in all its draws
GAPS = 64  # rows with a gap, at most


def evaluate(session: Session, args: Evaluate) -> None:
    """Prints and records the scores of samples at each point of the curve.

    The data and nonsense stand beside them, always.
    """
    loaded, number = session.loaded, args.num_samples or SAMPLES
    score_kinds.check(loaded.facts)
    draws.check(number, args.repeats)
    scores = score_kinds.of(
        loaded.data,
        args.split,
        number=number,
        repeats=args.repeats,
        num_texts=args.num_texts,
        seed=session.seed,
    )
    session.announce("scoring the data, and nonsense made from them")
    trial, beside = gaps(session, scores), scores.beside()
    if trial is not None and isinstance(scores, TextScores):
        filled = scores.fillings(*trial)
        beside = [with_brier(row, filled.get(row.label)) for row in beside]
    size = number - number % args.repeats
    rows = [point(session, scores, trial, s, size, args.repeats) for s in session.choice.curve]
    rows += beside
    session.record(*figures(rows, args, size, len(scores.test), loaded.facts.unit))
    on = f"{len(scores.test):,} {args.split} {loaded.facts.rows}"
    print(f"{size} samples in {args.repeats} draws of {size // args.repeats}; {on}")
    print("\n".join(score_table.lines(rows, scores.columns)))
    for line in [*missing(session, scores, trial), *score_table.remarks(rows, scores.columns)]:
        print(textwrap.fill(line, gallery.WIDTH))


class Trial(NamedTuple):
    """Rows (N, L), and a gap in each."""

    rows: Rows
    hidden: Gaps


def gaps(session: Session, scores: Scores) -> Trial | None:
    """Gaps in the first test rows; None for a model that fills none."""
    model = session.loaded.model
    fills = isinstance(model, Diffusion) and declared.fills_gaps(model)
    if not fills or not isinstance(scores, TextScores):
        return None
    rows = np.asarray(scores.test[:GAPS], np.int32)
    return Trial(rows, text_scores.gaps(scores.facts, rows, session.seed))


def point(
    session: Session,
    scores: Scores,
    trial: Trial | None,
    sampler: Named | None,
    size: int,
    repeats: int,
) -> Row:
    """The scores of one sampler."""
    loaded, name = session.loaded, label(sampler)
    session.announce(f"drawing {size} samples: {name}")
    rng_samples, rng_gaps = jax.random.split(jax.random.key(session.seed))
    shape = (size, *loaded.facts.event_shape)
    drawn = gallery.samples(loaded.model, loaded.params, rng_samples, shape, sampler)
    row = Row(name, "model", scores.of(draws.divided(drawn, repeats)))
    if trial is None:
        return row
    assert isinstance(loaded.model, Diffusion)  # or it had no gaps
    assert isinstance(sampler, Sampler)
    about = loaded.model, loaded.params, rng_gaps, *trial, sampler
    return with_brier(row, Figure(*model_fillings.score(*about).mean()))


def with_brier(row: Row, figure: Figure | None) -> Row:
    """A row with the Brier score of fillings, where there is one."""
    if figure is None:
        return row
    return dataclasses.replace(row, scores={**row.scores, "brier": figure})


def label(sampler: Named | None) -> str:
    """A sampler in words: its name, and the numbers that a curve is over."""
    if sampler is None:
        return "the model"
    own = options.values(sampler)
    shown = [f"{name} {own[name]}" for name in ("steps", "temperature") if name in own]
    return ", ".join([sampler.name, *shown, *options.settings(_usual(sampler))])


def _usual(sampler: Named) -> Named:
    """A sampler with its class's own steps and temperature, which are said already."""
    usual = {f.name: f.default for f in dataclasses.fields(sampler)}  # type: ignore[arg-type]
    known = [name for name in ("steps", "temperature") if name in options.values(sampler)]
    return options.replaced(sampler, {name: usual[name] for name in known})


def missing(session: Session, scores: Scores, trial: Trial | None) -> list[str]:
    """What is not measured, and why."""
    lines = []
    if trial is None and "brier" in scores.columns:
        kind = one(session.loaded.model)
        lines.append(f"Brier of fillings: not measured; {kind} as this one fills no gaps.")
    if not features.installed():
        lines.append("two-sample AUC: not measured; it needs pip install 'amd_jax[tables]'.")
    return lines


def figures(
    rows: Sequence[Row], args: Evaluate, size: int, examples: int, unit: str
) -> list[Measurement]:
    """What is recorded: a figure for each cell of the table."""
    return [
        Measurement(
            what=name,
            value=figure.value,
            error=figure.error,
            method=f"{row.label}{' (nonsense)' * (row.kind == 'nonsense')}, {size} samples in "
            f"{args.repeats} draws",
            order=reverse_bits.ORDER if name == "reverse_bits" else None,
            unit=unit,
            split=args.split,
            examples=examples,
        )
        for row in rows
        for name, figure in row.scores.items()
    ]
