"""`--mode=infill`: fills gaps of a text, or a hole in a map, with a diffusion."""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np

from amd_jax.cli import inputs, reporting, table_rows
from amd_jax.cli.flags import one
from amd_jax.cli.inputs import Partly
from amd_jax.cli.mode_options import Infill, Rows
from amd_jax.cli.run_session import Session
from amd_jax.evaluation import filling, gallery, means
from amd_jax.evaluation.lines import validity
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports.map_report import MapReport
from amd_jax.evaluation.reports.text_report import TextReport
from amd_jax.experiment import LoadedModel
from amd_jax.facts import Facts, LineFacts, TableFacts, TextFacts, TokenFacts
from amd_jax.models import Diffusion
from amd_jax.options import Named, settings
from amd_jax.types import Model, Params, Sampler

FILLINGS = 4  # of one row, by default
ROWS = 100  # rows with gaps, by default
FEW = 32  # at the end of a training, at most


def infill(session: Session, options: Infill) -> None:
    """Shows several fillings of what is unknown; with masks the likely ones first, and how so."""
    loaded, sampler = session.loaded, session.choice.sampler
    if isinstance(loaded.facts, TableFacts):
        table_rows.fill(session, options)
        return
    if not isinstance(loaded.model, Diffusion):
        kind = one(loaded.model)
        raise ValueError(f"--mode=infill is for a diffusion; this experiment has {kind}.")
    assert isinstance(sampler, Sampler)  # a diffusion has some
    if options.hidden is not None:
        if options.given is not None:
            raise ValueError("--given is for a hole in a map; --hidden makes gaps. Give one.")
        _check_trial(loaded, options)
        print("\n".join(tried(session, options, options.hidden, options.num_texts or ROWS)))
        return
    if ignored := {"split", "num_texts"} & options.explicit:
        raise ValueError(
            f"--{min(ignored)} is for the gaps of --hidden; --mode=infill does not heed it else. "
            "Leave it out."
        )
    row = inputs.partly(loaded.facts, options)
    result = fillings(
        loaded.model,
        loaded.params,
        row,
        loaded.facts,
        number=options.num_samples or FILLINGS,
        seed=options.seed,
        sampler=sampler,
    )
    report = session.report
    assert isinstance(report, TextReport | MapReport)  # or `inputs.partly` had refused
    print("\n".join(report.filled(*row, *result, session.stem("infill"))))


class Fillings(NamedTuple):
    """Rows (N, ...) with what was unknown drawn, and a line on each."""

    drawn: np.ndarray  # int32
    captions: list[str]


def fillings(
    model: Model,
    params: Params,
    row: Partly,
    facts: Facts,
    *,
    number: int,
    seed: int = 0,
    sampler: Named | None = None,
) -> Fillings:
    """So many fillings of a row (...); with masks the likely ones first, each with its bits."""
    inputs.check_fillings(row.x[None], number)
    rows, rng = (np.stack([part] * number) for part in row), jax.random.key(seed)
    drawn, nats = gallery.infilled(model, params, rng, *rows, sampler=sampler)
    drawn, captions = np.asarray(drawn), [f"filling {i + 1}" for i in range(number)]
    if nats is not None:
        bits, size = -np.asarray(nats) / np.log(2), row.wanted.sum()
        likely = np.argsort(bits, kind="stable")
        drawn, bits = drawn[likely], bits[likely]
        sure = [f"{b:z.1f} bits, {b / size:z.2f} a {facts.token}" for b in bits]
        captions = [f"{name}: {line}" for name, line in zip(captions, sure, strict=True)]
    if isinstance(facts, LineFacts) and facts.writing:
        written = map(facts.decode, drawn)
        captions = [f"{name}, {line}" for name, line in zip(captions, written, strict=True)]
    return Fillings(drawn, captions)


def is_measured(facts: Facts, model: Model) -> bool:
    """Whether a training ends with gaps: of a diffusion of texts that fills them."""
    return isinstance(facts, TextFacts) and isinstance(model, Diffusion) and model.fills_gaps


def few(number: int | None) -> int:
    """How many gaps that is, where so many rows are evaluated, or all."""
    return min(number or FEW, FEW)


def measured(session: Session, rows: Rows) -> None:
    """Prints what the model fills in for gaps in some test rows, at the end of a training."""
    choice, loaded, number = session.choice, session.loaded, few(rows.num_texts)
    sampler = reporting.shorter(choice.sampler, loaded.model)
    short = dataclasses.replace(session, choice=choice._replace(sampler=sampler))
    hidden = usual_gap(loaded.facts, loaded.data.rows(rows.split)[:number])
    print("\n".join(tried(short, rows, hidden, number)))


def usual_gap(facts: Facts, rows: np.ndarray) -> int:
    """How many tokens are hidden of rows (N, L): an eighth of what is inside one, on average."""
    return max(1, int(facts.inside(rows).sum()) // len(rows) // reporting.GAP[1])


def _check_trial(loaded: LoadedModel, options: Infill) -> None:
    """ValueError unless gaps are made in rows of texts or tokens."""
    given = options.text is not None or options.input is not None
    if given or not isinstance(loaded.facts, TextFacts | TokenFacts):
        raise ValueError(
            "--hidden makes gaps in test rows of a model of texts or tokens, in the place of "
            f"--text and --input; this experiment has {loaded.facts.rows}. Give one of them."
        )


def tried(session: Session, options: Rows, hidden: int, number: int) -> list[str]:
    """Lines on gaps in test rows, whose content is known: what a count model knows beside it.

    The share of the hidden tokens that a draw restores is recorded.
    """
    loaded, facts, split = session.loaded, session.loaded.facts, options.split
    model, sampler = loaded.model, session.choice.sampler
    assert isinstance(model, Diffusion)
    assert isinstance(facts, TextFacts | TokenFacts)
    assert isinstance(sampler, Sampler)
    rows = np.asarray(loaded.data.rows(split)[:number], np.int32)
    session.announce(f"filling gaps in {len(rows)} {split} {facts.rows}")
    inside = facts.inside(rows)
    result = filling.trial(model, loaded.params, rows, hidden, inside, session.seed, sampler)
    of_rows = result.restored_of_rows(rows)
    method = f"gaps of {hidden} {facts.token}s, {', '.join([sampler.name, *settings(sampler)])}"
    on = {"split": split, "examples": len(rows), "unit": facts.token}
    session.record(Measurement.mean("filled", of_rows, method=method, **on))
    bits, kind = result.bits_of_rows, "exact" if result.exact else "a bound"
    lines = [
        f"gaps of {hidden} {facts.token}s in {len(rows)} {split} {facts.rows}:",
        f"true filling: {means.shown(*bits.mean())} bits/{facts.token} ({kind}), given both sides",
    ]
    if counted := session.report.counted(loaded.data, rows, result.hidden):
        above = means.signed(*bits.minus(counted).mean())
        lines += [
            f"count model:  {means.shown(*counted.mean())} bits/{facts.token}, "
            "given the left side",
            f"true filling minus count model: {above} bits/{facts.token}",
        ]
    restored = means.shown(*of_rows.mean(), ".1%")
    lines.append(f"{facts.token}s restored by a draw: {restored}")
    texts, filled = (["".join(facts.pieces(x)) for x in part] for part in (rows, result.drawn))
    if all(len(text) == rows.shape[1] for text in texts + filled):
        share = means.shown(*filling.words_restored(texts, filled, result.hidden), ".1%")
        lines.append(f"words in the gaps restored whole: {share}")
    if isinstance(facts, LineFacts) and facts.validity:
        is_valid = validity.of([*facts.lines(result.drawn)], facts.validity)
        of_rows = PerRow(is_valid, np.ones(len(is_valid)))
        session.record(Measurement.mean("filled_valid", of_rows, method=method, **on))
        lines.append(f"filled lines that are valid: {means.shown(*of_rows.mean(), '.1%')}")
    return lines
