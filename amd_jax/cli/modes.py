"""The modes of the command line: evaluate a run, sample from it, edit data with it."""

import dataclasses
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import jax

from amd_jax.cli import (
    choices,
    editing,
    exporting,
    grid_search,
    guided_samples,
    infilling,
    inputs,
    label_rows,
    reporting,
    sample_scores,
    table_rows,
)
from amd_jax.cli.choices import Choice
from amd_jax.cli.flags import one
from amd_jax.cli.mode_options import (
    Edit,
    Evaluate,
    Evaluation,
    Export,
    Grid,
    Infill,
    Options,
    Report,
    Sample,
    Score,
    Train,
)
from amd_jax.cli.run_session import Session, writes
from amd_jax.devices import parallel
from amd_jax.evaluation import gallery, means
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import beside_counts, run_report
from amd_jax.experiment import Run
from amd_jax.facts import LineFacts, MapFacts
from amd_jax.host.log import logger
from amd_jax.host.printable import in_one_line
from amd_jax.models.bounds import in_order
from amd_jax.models.declared import Editor, GridSearch, Walkable
from amd_jax.options import Named, settings
from amd_jax.types import Bound


def do(session: Session, args: Options) -> None:
    """What the mode says, with a loaded model."""
    match args:
        case Evaluate(what="samples"):
            sample_scores.evaluate(session, args)
        case Evaluate():
            evaluate(session, args)
        case Sample(given=None) if ignored := guided_samples.FLAGS & args.explicit:
            raise ValueError(
                f"--{min(ignored)} is for rows with values that are given. Give --given, as "
                "--given=column=value, or leave it out."
            )
        case Sample(given=str(condition)) if isinstance(
            session.loaded.facts, LineFacts | MapFacts
        ):
            label_rows.draw(session, args, condition)
        case Sample(given=str(conditions)):
            table_rows.conditioned(session, args, conditions)
        case Sample(chain=True):
            print("\n".join(chain(session)))
        case Sample():
            sample(session, args.num_samples, compare=args.compare)
        case Infill():
            infilling.infill(session, args)
        case Score():
            table_rows.score(session, args)
        case Grid():
            way = session.choice.way
            grid_search.grid(session.loaded, args, way if isinstance(way, GridSearch) else None)
        case Export():
            export(session, half=args.half)
        case Report():
            page(session)
        case Edit():
            assert isinstance(session.choice.way, Editor)  # no other mode is left
            editing.edit(session, session.choice.way, args, args.text, args.input)


def end(session: Session, args: Train) -> None:
    """What follows a training: first what the model does, then its bits, and samples."""
    data, model = session.loaded.data, session.loaded.model
    has_rows = args.split in data.splits
    for editor in session.choice.correctors:
        if has_rows or args.text is not None:
            print()
            editing.edit(session, editor, args, args.text)
    if has_rows and infilling.is_measured(session.loaded.facts, model):
        print()
        infilling.measured(session, args)
    if has_rows:
        print()
        evaluate(session, args)
    print()
    sample(session, args.num_samples, compare=True)
    if args.report:
        print()
        last_page(session)


def export(session: Session, half: bool) -> None:
    """Writes the run as files without code."""
    workdir = session.loaded.folder
    if not writes(workdir):
        raise ValueError(f"A run is exported from this machine; copy {workdir} to it first.")
    folder = Path(session.output or Path(workdir) / "export")
    sampler = session.choice.sampler
    line = exporting.write(session.loaded, folder, sampler=sampler, seed=session.seed, half=half)
    print(in_one_line(line))


def page(session: Session) -> None:
    """Writes the page of the run."""
    folder, choice = session.folder, session.choice
    if "://" in str(folder):
        raise ValueError(f"A page is written on this machine, and not to {folder}. Give --output.")
    editor = next(iter(choice.correctors), None)
    session.announce("drawing samples for the page")
    path = reporting.write(
        session.loaded, Path(folder), seed=session.seed, sampler=choice.sampler, editor=editor
    )
    print(f"page: {in_one_line(path)}")


def last_page(session: Session) -> None:
    """The page at the end of a training, which is worth less than the run: a line if it fails."""
    try:
        page(session)
    except (OSError, ValueError) as error:
        logger.warning(f"the page of the run is not written: {error}")


def evaluate(session: Session, args: Evaluation) -> None:
    """Prints the bounds on a split, and what simpler models reach beside them.

    The first bound is compared with each of the others, by pairs of rows; one that reads all rows
    as one text with others of that kind only.
    """
    data, unit, bounds = session.loaded.data, session.loaded.facts.unit, session.choice.bounds
    first, *others = [_bits(session, args, bound) for bound in bounds]
    mine: dict[str, Any] = {"of": first.bound, "method": first.method}
    on: dict[str, Any] = {"split": first.split, "examples": first.examples, "unit": unit}
    for bound, other in zip(bounds[1:], others, strict=True):
        if in_order(bound) == in_order(bounds[0]):
            above = first.rows.minus(other.rows)
            line = f"{first.bound} minus {other.bound}: {means.signed(*above.mean())}"
            print(f"{line} bits/{unit}", flush=True)
            to = f"{other.bound} ({other.method})"
            session.record(Measurement.mean("bits_difference", above, to=to, **mine, **on))
    lines, figures = session.report.yardsticks(data, args.split, args.num_texts, first.rows)
    figures = [dataclasses.replace(f, **mine) if f.to else f for f in figures]
    session.record(*figures)
    if lines:
        print(lines, flush=True)
    if why := beside_counts.sentences(first, figures):
        print(textwrap.fill(why, gallery.WIDTH), flush=True)


def _bits(session: Session, args: Evaluation, bound: Bound) -> Measurement:
    """Prints and records a bound: its bits, and those of each row."""
    loaded = session.loaded
    number = len(loaded.data.rows(args.split)[: args.num_texts])
    session.announce(f"evaluating {number} {args.split} {loaded.facts.rows} ({bound.name})")
    result, line = run_report.bits(
        loaded.model,
        loaded.params,
        loaded.data,
        split=args.split,
        number=args.num_texts,
        bound=bound,
        seed=session.seed,
    )
    print(line, flush=True)
    question: dict[str, Any] = run_report.question(bound, loaded.model, loaded.facts)
    question |= {"split": args.split, "examples": result.examples}
    figure = Measurement.mean("bits", result.per_row, **question)
    session.record(figure)
    if (other := result.other_side) is not None:
        session.record(
            Measurement.mean("least_bits", other.per_row, **question),
            Measurement(what="lowest_bits", value=other.low, **question),
            Measurement(what="highest_bits", value=other.high, **question),
        )
    return figure


def sample(session: Session, number: int | None, *, compare: bool) -> None:
    """Draws samples, shows them and keeps them."""
    loaded, stem = session.loaded, session.stem("samples")
    shape = (number or loaded.facts.num_samples, *loaded.facts.event_shape)
    rng, sampler = jax.random.key(session.seed), session.choice.sampler
    session.announce(f"drawing {shape[0]} samples{_by(sampler)}")
    drawn = gallery.samples(loaded.model, loaded.params, rng, shape, sampler)
    session.show("samples", session.report.preview(drawn))
    lines = session.report.samples(drawn, stem)
    if compare:
        beside = (drawn, stem, loaded.model, loaded.params, loaded.data)
        more, figures = session.report.compared(*beside)
        session.record(*figures)
        lines += more
    print("\n".join(lines))


def _by(sampler: Named | None) -> str:
    """Such as " by the sampler ancestral (steps 64)"."""
    if sampler is None:
        return ""
    numbers = ", ".join(settings(sampler))
    return f" by the sampler {sampler.name}" + (f" ({numbers})" if numbers else "")


def chain(session: Session) -> list[str]:
    """Lines on samples on their way from noise to data."""
    loaded, report = session.loaded, session.report
    if not isinstance(loaded.model, Walkable):
        kind = one(loaded.model)
        raise ValueError(f"--chain shows noise becoming data; {kind} has no steps. Leave it out.")
    shape = (report.chains, *loaded.facts.event_shape)
    rng, sampler = jax.random.key(session.seed), session.choice.sampler
    session.announce(f"drawing a chain{_by(sampler)}")
    frames = loaded.model.walk(loaded.params, rng, shape, report.frames, sampler)
    return report.chain(list(frames), session.stem("chain"))


def check(run: Run, args: Train, choice: Choice) -> None:
    """ValueError for what a run cannot do once it is trained: before that, and not after it."""
    shape = None
    if args.split in run.data.splits:
        rows = run.data.rows(args.split)[: args.num_texts]
        shape = (len(rows), *run.facts.event_shape)
    choices.check_fit(run.model, choice.bounds, choice.sampler, shape)
    if args.text is not None:
        inputs.tokens(run.facts, args.text)
    if "split" in args.explicit and args.split not in run.data.splits:
        raise ValueError(f"--split is one of {', '.join(run.data.splits)}; got {args.split!r}.")
    check_output(args.output)


def check_output(folder: str | None) -> None:
    """Makes the folder of --output; ValueError unless it can be written."""
    if not folder or not parallel.is_first():
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"--output must be a folder that can be written; {folder}: {error.strerror}. "
            "Give another."
        ) from error
