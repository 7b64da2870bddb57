"""`experiments.compare`: trains experiments for equal time on the same data."""

import dataclasses
import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from amd_jax import options
from amd_jax.cli import choices, command_line, declared_options, experiment_files, flags
from amd_jax.comparison import charts, tables, training
from amd_jax.comparison.rows import Figure, Row, label
from amd_jax.evaluation import pictures
from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.samples import draws, model_scores, score_kinds, score_table
from amd_jax.evaluation.samples.data_scores import Scores
from amd_jax.experiment import Experiment, Run
from amd_jax.experiment.source_file import split_variant
from amd_jax.facts import MapFacts
from amd_jax.host import filesystem
from amd_jax.host.printable import in_one_line
from amd_jax.models import bounds, declared
from amd_jax.options import Named, number
from amd_jax.pages import comparison, run_record
from amd_jax.types import Bound, Model

MINUTES = 1_000_000  # two years
MAPS = 8  # samples of each row in the picture


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """Flags of a table whose rows are trained and measured here."""

    workdir: str = number("runs/compare", "Folder of all rows.", kind=Path)
    minutes: float = number(20.0, "Training of each row.", least=0, most=MINUTES)
    steps: int | None = number(
        None, "Training steps of each row, in place of minutes.", kind=int, least=1
    )
    num_texts: int | None = number(None, "Take this many test rows; all.", kind=int, least=1)
    sampler: Sequence[str] = number(
        (), "A sampler with its numbers, in quotes; may be given again.", kind=list
    )
    num_samples: int = number(64, "Samples of each sampler.", least=2)
    scores: int | None = number(
        None, "Score them in this many draws, beside data and nonsense.", kind=int, least=2
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(Table):
    """Flags of `experiments.compare`."""

    bound: str | None = number(
        None, "Bounds to evaluate, with commas; the first of each model.", kind=str
    )


def main(argv: Sequence[str]) -> None:
    """Trains and measures what is missing; writes table, picture and page."""
    if flags.answers(argv[1:], lambda: flags.usage("compare", Options)):
        return
    args, rest = flags.read(argv[1:], Options)
    given = [argument for argument in rest if not argument.startswith("-")]
    shared = [argument for argument in rest if argument.startswith("-")]
    if len(given) < 2:
        raise ValueError(
            "A comparison has two experiments or more. Try: python -m experiments.compare "
            "own_text own_text_masked --config.data.path=book.txt"
        )
    command_line.start_jax()
    result = [opened(text, shared, args.bound) for text in given]
    compare(result, args)


def opened(text: str, shared: Sequence[str], names: str | None = None) -> Row:
    """A row: an experiment with its numbers and those for all rows, and the bounds to evaluate."""
    name, *own = words(text, "row")
    experiment = Experiment.open(experiment_files.file(name))
    config, rest = flags.override([*own, *shared], experiment.config())
    flags.finish(rest, Options)
    experiment.check(config)
    flags.absolute_places(config)
    path, variant = split_variant(experiment_files.file(name))
    title = ":".join(filter(None, [Path(path).stem, variant]))
    numbers = [re.sub(r"^--?config\.", "", argument) for argument in own]
    run = experiment.at(config, experiment.open_data(config))
    title = in_one_line(" ".join([title, *numbers]))
    return Row(title, run, bounds_of(run, names), re.sub(r"[^\w.=,-]+", "_", title))


def bounds_of(run: Run, names: str | None) -> tuple[Bound, ...]:
    """The bounds of a model that are named, or its first."""
    known = bounds.of(run.model)
    if names is None:
        return known[:1]
    return tuple(options.named(known, name, "bound") for name in names.split(","))


def samplers_of(text: str, model: Model | type[Model]) -> list[Named]:
    """The samplers that a text means, of each combination of numbers one; none for this model."""
    name, *arguments = words(text, "sampler")
    known = declared.samplers(model)
    if name not in {option.name for option in known}:
        options.named(declared_options.samplers(), name, "sampler")  # or nobody knows it
        return []
    return declared_options.combined(options.named(known, name, "sampler"), arguments)


def words(text: str, what: str) -> list[str]:
    """The words of a row or a sampler, as a shell reads them; ValueError if it cannot."""
    try:
        result = shlex.split(text)
    except ValueError as error:
        raise ValueError(
            f"A {what} is read as a shell reads a line; got {text!r}: {str(error).lower()}. "
            "Close what is quoted, and write \\\\ for a backslash."
        ) from error
    if not result:
        raise ValueError(f"A {what} begins with a name, as in 'own_text'; got {text!r}.")
    return result


def chosen(given: str, known: Collection[str], what: str) -> list[str]:
    """Names with commas; ValueError for one that is not known."""
    names = given.split(",")
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"--{what} are of {', '.join(known)}; got {', '.join(unknown)}.")
    return names


def compare(wanted: Sequence[Row], args: Table) -> None:
    """Trains rows, measures them, and writes what is found."""
    workdir, titles = Path(args.workdir), [row.title for row in wanted]
    for row in wanted:
        if titles.count(row.title) > 1:
            raise ValueError(f"Every row is given once; got {row.title} twice.")
        if row.run.digests != wanted[0].run.digests:
            raise ValueError(
                f"Rows of a comparison are on the same data; those of {row.title} are not those "
                f"of {wanted[0].title}. Give all of them the same."
            )
        shape = (row.examples(args.num_texts), *row.run.facts.event_shape)
        choices.check_fit(row.run.model, row.bounds, None, shape)
        for text in args.sampler:
            for sampler in samplers_of(text, row.run.model):  # mistakes are reported now
                choices.check_fit(row.run.model, (), sampler)
    done, scores = [], scores_of(wanted[0], args)
    for row in wanted:
        done.append(training.trained(row, workdir / row.folder, args.minutes, args.steps))
        lines = written(
            done, workdir, args, scores
        )  # of the rows so far: a comparison takes hours
    print("\n".join(lines))


def scores_of(row: Row, args: Table) -> Scores | None:
    """What samples are scored by, if they are; ValueError for data without scores, or too few."""
    if args.scores is None:
        return None
    return score_kinds.of(
        row.run.data,
        row.split,
        number=args.num_samples,
        repeats=args.scores,
        num_texts=args.num_texts,
    )


def written(
    done: Sequence[Row], workdir: Path, args: Table, scores: Scores | None = None
) -> list[str]:
    """Writes table, picture and page of the rows; lines that name them."""
    facts, split = done[0].run.facts, done[0].split
    number, kind = done[0].examples(args.num_texts), f"{split} {facts.rows}"
    lines = [f"Bits per {facts.unit} on {number:,} {kind} of {facts.name}, ± one standard error."]
    lines += ["", *tables.markdown([tables.bits(row, args.num_texts) for row in done])]
    yardsticks, counted = run_report.of(facts).yardsticks(done[0].run.data, split, args.num_texts)
    if yardsticks:
        lines += ["", *yardsticks.replace("\n  ", "\n- ").replace(":\n", ":\n\n").splitlines()]
    if beside := tables.differences(done, args.num_texts, counted):
        lines += ["", f"Minus {done[0].title}, by pairs of {kind}, ± one standard error:", ""]
        lines += tables.markdown(beside)
    drawn = [(row, *each) for row in done for each in samples(row, args)]
    if drawn:
        lines += ["", f"{args.num_samples} samples each, and as many {kind}:", ""]
        measured = [tables.samples(row, s, args.num_samples) for row, s, _ in drawn]
        lines += tables.markdown([*measured, tables.real(done[0], args.num_samples)])
    if scores is not None:
        lines += ["", *scored(done, args, scores)]
    files = {"table": ("compare.md", "\n".join([*lines, ""]).encode())}
    bits = [row.bits(row.bounds[0], args.num_texts) for row in done]
    drawing = charts.picture(done, bits, drawn)
    if drawing is not None:
        files["picture"] = ("compare.svg", drawing)
    page = comparison.page([run_record.read(row.workdir) for row in done])
    files["page"] = ("compare.html", page.encode("utf-8", errors="replace"))
    for name, content in files.values():
        filesystem.write(workdir / name, content)
    named = [f"{what}: {in_one_line(workdir / name)}" for what, (name, _) in files.items()]
    summary = ["", *lines, "", *named]
    return [*summary, *([charts.MISSING] if drawing is None else []), *panels(done, workdir)]


def scored(done: Sequence[Row], args: Table, scores: Scores) -> list[str]:
    """The table of scores: samples of each row beside data and nonsense.

    Without samplers, or of a row that has none of them, samples are drawn in the model's own way.
    """
    rows: list[score_table.Row] = []
    for row in done:
        asked: list[Named | None] = []
        for text in args.sampler:
            asked += samplers_of(text, row.run.model)
        for sampler in asked or [None]:
            found = row.scores(sampler, scores).items()
            figures = {name: draws.Figure(x.value, x.error or 0.0) for name, x in found}
            title = f"{row.title}, {label(sampler)}"
            rows.append(score_table.Row(title, "model", figures))
    rows += scores.beside(any(model_scores.fills(scores, row.run.model) for row in done))
    repeats, size = scores.rows.real.shape[:2]
    of = f"{repeats * size} samples each in {repeats} draws"
    lines = [f"Scores of {of}, on {len(scores.test):,} {done[0].split} {scores.facts.rows}:", ""]
    lines += tables.markdown(score_table.cells(rows, scores.columns))
    remarks = [f"- {line}" for line in score_table.remarks(rows, scores.columns)]
    return [*lines, *([""] if remarks else []), *remarks]


def samples(row: Row, args: Table) -> list[tuple[Named, dict[str, Figure]]]:
    """The samplers that are asked for and that the row's kernel admits, with their figures."""
    return [
        (sampler, row.samples(sampler, args.num_samples))
        for text in args.sampler
        for sampler in samplers_of(text, row.run.model)
    ]


def panels(done: Sequence[Row], workdir: Path) -> list[str]:
    """Of maps a picture with samples of each row beside test maps; a line that names it."""
    facts = done[0].run.facts
    if not isinstance(facts, MapFacts):
        return []
    shown = {f"{done[0].split} maps": np.asarray(done[0].run.data.rows(done[0].split)[:MAPS])}
    for row in done:
        shown[row.title] = row.first_samples(MAPS)
    shown = {title: facts.maps(x) for title, x in shown.items()}
    path = workdir / "samples.png"
    pictures.write_panels(shown, pictures.Palette.of(facts.colours), path, columns=1)
    return [f"samples: {in_one_line(path)}"]
