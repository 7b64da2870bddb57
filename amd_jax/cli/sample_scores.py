"""`--mode=evaluate --what=samples`: scores of samples, beside the data and nonsense."""

import dataclasses
import textwrap
from collections.abc import Sequence

import jax

from amd_jax import options
from amd_jax.cli.flags import one
from amd_jax.cli.mode_options import Evaluate
from amd_jax.cli.run_session import Session
from amd_jax.evaluation import gallery
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.samples import (
    draws,
    model_scores,
    reverse_bits,
    score_kinds,
    score_table,
)
from amd_jax.evaluation.samples.data_scores import Scores
from amd_jax.evaluation.samples.score_table import Row
from amd_jax.evaluation.tables import features
from amd_jax.options import Named

SAMPLES = 128  # of each sampler, in all its draws


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
    fills, size = model_scores.fills(scores, loaded.model), number - number % args.repeats
    beside, rows = scores.beside(fills), []
    for sampler in session.choice.curve:
        name, rng = label(sampler), jax.random.key(session.seed)
        session.announce(f"drawing {size} samples: {name}")
        found = model_scores.of(scores, loaded.model, loaded.params, rng, sampler)
        rows.append(Row(name, "model", found))
    rows += beside
    session.record(*figures(rows, args, size, len(scores.test), loaded.facts.unit))
    on = f"{len(scores.test):,} {args.split} {loaded.facts.rows}"
    print(f"{size} samples in {args.repeats} draws of {size // args.repeats}; {on}")
    print("\n".join(score_table.lines(rows, scores.columns)))
    for line in [*missing(session, scores, fills), *score_table.remarks(rows, scores.columns)]:
        print(textwrap.fill(line, gallery.WIDTH))


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


def missing(session: Session, scores: Scores, fills: bool) -> list[str]:
    """What is not measured, and why."""
    lines = []
    if not fills and "brier" in scores.columns:
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
