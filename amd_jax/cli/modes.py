"""The modes of the command line: evaluate a run, sample from it, edit data with it."""

import dataclasses
import tempfile
from pathlib import Path

import jax

from amd_jax.cli import choices, editing, exporting, grid_search, infilling, inputs, reporting
from amd_jax.cli.flags import Args, one
from amd_jax.cli.run_session import Session, writes
from amd_jax.devices import parallel
from amd_jax.evaluation import gallery, means
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import run_report
from amd_jax.host.printable import in_one_line
from amd_jax.models import corrections
from amd_jax.runs import checkpoint_files
from amd_jax.types import Bound, Key


def do(session: Session) -> None:
    """What the mode says, with a run that was trained."""
    if session.args.mode == "evaluate":
        evaluate(session)
    elif session.args.mode == "sample":
        sample(session, compare=session.args.compare)
    elif session.args.mode == "infill":
        sampler, stem = session.choice.sampler, session.stem("infill")
        infilling.infill(session.run, session.params, session.args, sampler, stem)
    elif session.args.mode == "grid":
        grid_search.grid(session.run, session.params, session.args, session.choice.way)
    elif session.args.mode == "export":
        export(session)
    elif session.args.mode == "report":
        page(session)
    else:
        editing.edit(session, session.choice.way)


def export(session: Session) -> None:
    """Writes the run as files without code."""
    run, args, workdir = session.run, session.args, session.run.folder
    if not writes(workdir):
        raise ValueError(f"A run is exported from this machine; copy {workdir} to it first.")
    folder = Path(args.output) if args.output else Path(workdir) / "export"
    sampler = session.choice.sampler
    line = exporting.write(
        run, session.params, folder, sampler=sampler, seed=args.seed, half=args.half
    )
    print(in_one_line(line))


def page(session: Session) -> None:
    """Writes the page of the run."""
    run, args, choice = session.run, session.args, session.choice
    folder = args.output or run.folder
    if "://" in str(folder):
        raise ValueError(f"A page is written on this machine, and not to {folder}. Give --output.")
    editor = next(filter(corrections.corrects, choice.editors), None)
    sampler = choice.sampler
    path = reporting.write(
        run, session.params, Path(folder), seed=args.seed, sampler=sampler, editor=editor
    )
    print(f"page: {in_one_line(path)}")


def last_page(session: Session) -> None:
    """The page at the end of a training, which is worth less than the run: a line if it fails."""
    try:
        page(session)
    except (OSError, ValueError) as error:
        checkpoint_files.say(f"the page of the run is not written: {error}")


def evaluate(session: Session) -> None:
    """Prints the bounds on a split, and what simpler models reach beside them.

    The first bound is compared with each of the others, by pairs of rows; one that reads all rows
    as one text with others of that kind only.
    """
    run, args, bounds = session.run, session.args, session.choice.bounds
    first, *others = [_bits(session, bound) for bound in bounds]
    mine = {"of": first.bound, "method": first.method}
    on = {"split": first.split, "examples": first.examples, "unit": first.unit}
    for bound, other in zip(bounds[1:], others, strict=True):
        if _in_order(bound) == _in_order(bounds[0]):
            above = first.rows.minus(other.rows)
            line = f"{first.bound} minus {other.bound}: {means.signed(*above.mean())}"
            print(f"{line} bits/{run.facts.unit}", flush=True)
            to = f"{other.bound} ({other.method})"
            session.record(Measurement.mean("bits_difference", above, to=to, **mine, **on))
    lines, figures = session.report.yardsticks(run.data, args.split, args.num_texts, first.per_row)
    session.record(*(dataclasses.replace(f, **mine) if f.to else f for f in figures))
    if lines:
        print(lines, flush=True)


def _bits(session: Session, bound: Bound) -> Measurement:
    """Prints and records a bound: its bits, and those of each row."""
    run, args = session.run, session.args
    result, line = run_report.bits(
        run.model,
        session.params,
        run.data,
        split=args.split,
        number=args.num_texts,
        bound=bound,
        seed=args.seed,
    )
    print(line, flush=True)
    on = {"split": args.split, "examples": result.examples}
    question = run_report.question(bound, run.model, run.facts)
    figure = Measurement.mean("bits", result.per_row, **question, **on)
    session.record(figure)
    return figure


def _in_order(bound: Bound) -> bool:
    """Whether a row's bits depend on the rows before it."""
    return getattr(bound, "in_order", False)


def sample(session: Session, compare: bool) -> None:
    """Draws samples, and shows and keeps them; or shows how some come about."""
    run, args, sampler = session.run, session.args, session.choice.sampler
    rng = jax.random.key(args.seed)
    if args.chain:
        print("\n".join(chain(session, rng)))
        return
    number = args.num_samples or run.facts.num_samples
    shape = (number, *run.facts.event_shape)
    drawn = gallery.samples(run.model, session.params, rng, shape, sampler)
    stem = session.stem("samples")
    lines = session.report.samples(drawn, stem)
    if compare:
        lines += session.report.compared(drawn, stem, run.model, session.params, run.data)
    print("\n".join(lines))


def chain(session: Session, rng: Key) -> list[str]:
    """Lines on samples on their way from noise to data."""
    run, report_ = session.run, session.report
    if not hasattr(run.model, "walk"):
        kind = one(run.model)
        raise ValueError(f"--chain shows noise becoming data; {kind} has no steps. Leave it out.")
    shape = (report_.chains, *run.facts.event_shape)
    sampler = session.choice.sampler
    frames = run.model.walk(session.params, rng, shape, report_.frames, sampler)
    return report_.chain(list(frames), session.stem("chain"))


def check(session: Session) -> None:
    """ValueError for what a run cannot do once it is trained: before that, and not after it."""
    run, args, choice = session.run, session.args, session.choice
    shape = None
    if args.split in run.data.splits:
        rows = run.data.rows(args.split)[: args.num_texts]
        shape = (len(rows), *run.facts.event_shape)
    choices.check_fit(run.model, choice.bounds, choice.sampler, shape)
    if args.text is not None:
        text = inputs.text(run.facts, args)  # or there are no tokens at all
        session.report.tokens(text)
    if "split" in args.given and args.split not in run.data.splits:
        raise ValueError(f"--split is one of {', '.join(run.data.splits)}; got {args.split!r}.")
    check_output(args)


def check_output(args: Args) -> None:
    """Makes the folder of --output; ValueError unless it can be written."""
    if not args.output or not parallel.is_first():
        return
    try:
        Path(args.output).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=args.output):
            pass
    except OSError as error:
        raise ValueError(
            f"--output must be a folder that can be written; {args.output}: {error.strerror}. "
            "Give another."
        ) from error
