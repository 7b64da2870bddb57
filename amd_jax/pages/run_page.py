"""The HTML page of one run: its record, and samples of its model."""

from collections.abc import Sequence
from typing import NamedTuple

from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import beside_counts
from amd_jax.evaluation.tables.measures import FLOOR
from amd_jax.facts import Json
from amd_jax.pages import curve, figures, run_record, table_shows, templates
from amd_jax.pages.curve import Panel
from amd_jax.pages.line_shows import LinesShown
from amd_jax.pages.plot import Level
from amd_jax.pages.run_record import Record
from amd_jax.pages.shows import Corrected, Shown
from amd_jax.pages.table_shows import TableShown
from amd_jax.runs import run_folder

SHARES = {  # what a model does, as tiles
    "restored": "of wrong {unit}s restored",
    "spoiled": "of right {unit}s spoiled",
    "filled": "of {unit}s in gaps restored",
}
# by kind of facts
NOUNS = {"text": "text", "maps": "maps", "points": "points", "table": "rows", "lines": "lines"}
BESIDE = {  # a measure of samples, and what it says, in plain words
    "detection_auc": "How often trees that were trained to tell them apart give a sample a higher "
    "score than a real row. 0.5 is best: they cannot tell; 1: they always can.",
    "logistic_auc": "The same by a linear model. 0.5 is best, but it is a weak test: it sees no "
    "combination of columns.",
    "shape": "How alike each column is by itself, on average. 1 is best.",
    "trend": "How alike pairs of columns are, on average. 1 is best.",
    "usefulness_auc": "Each category is predicted from the other columns by trees that were "
    "trained on samples, and tested on real rows. As much as real rows reach is best.",
    "usefulness_r2": "The same for each number: the share of its variance that is predicted.",
    "valid": "Lines that pass the rule of validity. As many as of real lines is best.",
    "unique": "Different lines among the valid ones; fewer if the model repeats itself.",
    "novel": "Those of the different ones that are no line of the training split.",
    "line_lengths": "How far the law of lengths is from that of training lines: half the sum of "
    "all differences of shares. 0 is best, but two samples of one law differ, too.",
    "line_labels": "The same of labels.",
    "label_success": "Lines whose label is what the rule computes of them. 100 % is best.",
    "copies": "Rows that are a training row, cell for cell: of the samples, and of held-out rows. "
    "No more than of held-out rows is best.",
}


class Drawn(NamedTuple):
    """What needs the model of a run."""

    model: str  # what it is, in a few words
    parameters: int
    step: int  # of its parameters
    device: str
    samples: Shown
    sampled: str  # how they were drawn, in a sentence
    film: Json | None  # of `films`; None for a model without steps
    corrected: list[Corrected]
    damaged: str  # what was corrected, in a sentence
    legend: list[tuple[str, str]]  # name and colour of each category
    filled: Sequence[Corrected] = ()  # rows with a gap
    table: TableShown | None = None
    lines: LinesShown | None = None


class Tile(NamedTuple):
    """A number at the top of a page."""

    name: str
    value: str
    rest: str = ""


class Beside(NamedTuple):
    """A measure of samples, that of real rows, and what it says."""

    name: str
    drawn: str
    real: str
    words: str


def page(record: Record, drawn: Drawn, commands: Sequence[tuple[str, str]]) -> str:
    """The page of a run, complete; `commands` are a title and a command line each."""
    shared = {"record": record, "drawn": drawn, "commands": commands, "legend": drawn.legend}
    panels = curve.panels(curve.series(record.metrics), lambda unit: _levels(record, unit))
    noun, beside = NOUNS.get(str(record.facts.get("kind")), "data"), measures(record)
    return templates.filled(
        "run.html.j2",
        title=record.name,
        summary=summary(record, drawn),
        machine=machine(record),
        counts=counts(record),
        tiles=tiles(record),
        sections=_sections(drawn, panels, noun, bool(beside)),
        noun=noun,
        beside=beside,
        memory=memory(record) if drawn.table else "",
        no_trees=table_shows.missing_extra(bool(figures.best(record.figures, "detection_auc"))),
        panels=panels,
        groups=figures.grouped(record.figures),
        numbers=[(name, _plain(value)) for name, value in run_folder.named(record.config)],
        environment=environment(record, drawn),
        **shared,
    )


def summary(record: Record, drawn: Drawn) -> str:
    """What the run is, in a sentence."""
    facts, name = record.facts, record.facts.get("name", "data")
    shape = " × ".join(map(str, facts.get("event_shape", ()))) or "1"
    data = f"{name}, rows of {shape} {record.unit}s of {facts.get('num_classes')} classes"
    if facts.get("kind") == "table":
        data = f"{name}, rows of {len(facts.get('columns', ()))} columns in {shape} fields"
    if facts.get("kind") == "lines":
        longest, characters = len(facts["length_frequencies"]), facts.get("padding")
        data = f"{name}, lines of 1 to {longest} {record.unit}s, of {characters} characters"
        if facts.get("texts"):
            data = f"{name}, lines of 1 to {longest} tokens, of {characters:,}"
    if record.step >= record.total:
        state = f"its training of {record.total:,} steps is finished"
    else:
        state = f"it is not finished: step {record.step:,} of {record.total:,}"
    return f"{drawn.model}, {drawn.parameters:,} parameters; learnt from {data}; {state}."


def machine(record: Record) -> str:
    """How long, where, when and with which JAX a run was trained: what is known, in a sentence."""
    versions = record.notes.get("versions")
    known = {
        "in": None if record.seconds is None else run_record.duration(record.seconds),
        "on": record.notes.get("processor"),
        "from": str(record.notes.get("started") or "").partition("T")[0],
        "with JAX": versions.get("jax") if isinstance(versions, dict) else None,
    }
    parts = [f"{word} {value}" for word, value in known.items() if value]
    return f"Trained {', '.join(parts)}." if parts else ""


def counts(record: Record) -> str:
    """What to know of the bits beside those of simpler models; empty for none of a text."""
    best = figures.best(record.figures)
    if best is None:
        return ""
    return beside_counts.sentences(best, record.figures) or baselines(best, record)


def baselines(best: Measurement, record: Record) -> str:
    """The exact bits of baselines on the same rows, in a sentence; empty without any."""
    known = {
        (f.method or "").split(",")[0]: figures.value(f)
        for f in record.figures
        if f.what == "baseline" and (f.split, f.examples) == (best.split, best.examples)
    }
    if not known:
        return ""
    listed = ", ".join(f"{name} {value}" for name, value in known.items())
    bound = "" if best.exact else f" Those of the model are an upper bound ({best.bound})."
    return f"Bits of simpler models of the same rows, exact: {listed}.{bound}"


def tiles(record: Record) -> list[Tile]:
    """The numbers at the top: what the model does, and its bits."""
    result = []
    for what, name in SHARES.items():
        if share := figures.best(record.figures, what):
            unit = "field" if record.facts.get("kind") == "table" else record.unit
            unit = "token" if record.facts.get("texts") else unit
            result.append(_measured(name.format(unit=unit), share))
    if best := figures.best(record.figures):
        result.append(_measured(figures.what(best), best))
    if trees := figures.best(record.figures, "detection_auc"):
        result.append(_measured(f"{figures.what(trees)}, 0.5 is best", trees))
    return result


def measures(record: Record) -> list[Beside]:
    """Measures of samples of tables or lines beside what real rows reach, those there are."""
    result = []
    for name, words in BESIDE.items():
        ours = figures.best(record.figures, name)
        if ours is None:
            ours = next((f for f in record.figures if f.what == name and f.failure), None)
        if ours is not None:
            what, floor = figures.what(ours), figures.best(record.figures, name + FLOOR)
            real = "–" if floor is None else figures.value(floor)
            title = f"{what[:1].upper()}{what[1:]}"
            words = f"Not measured: {ours.failure}" if ours.failure else words
            result.append(Beside(title, figures.value(ours), real, words))
    return result


def memory(record: Record) -> str:
    """How many bits more held-out rows of a table take than training rows, in a sentence."""
    gap = figures.best(record.figures, "memory_difference")
    if gap is None:
        return ""
    return (
        f"Held-out rows take {figures.value(gap)} bits more than training rows: a model that has "
        "learnt rows by heart needs many bits more for those that it has not seen."
    )


def _measured(name: str, figure: Measurement) -> Tile:
    value, _, error = figures.value(figure).partition(" ± ")
    on = f", {figure.split}" if figure.split else ""
    return Tile(name + on, value, f"± {error}" if error else "")


def environment(record: Record, drawn: Drawn) -> list[tuple[str, str]]:
    """Where and by what the run was made."""
    notes, versions = record.notes, record.notes.get("versions")
    result = [
        ("started", notes.get("started", "unknown")),
        ("processor", notes.get("processor", "unknown")),
        ("git commit", notes.get("commit", "unknown")),
        ("Python", notes.get("python", "unknown")),
        *(versions.items() if isinstance(versions, dict) else ()),
        ("this page", f"made on {drawn.device}, with the parameters of step {drawn.step:,}"),
        ("run", notes.get("run", "unknown")),
    ]
    return [(name, str(value)) for name, value in result]


def _levels(record: Record, unit: str) -> list[Level]:
    """The run's own figure, and the count models beside it."""
    measured = record.figures
    return [*curve.own_level(measured, unit), *curve.count_levels(measured, unit)]


def _sections(
    drawn: Drawn, panels: Sequence[Panel], noun: str, measured: bool
) -> list[tuple[str, str]]:
    """The id and the name of each section that the page has."""
    table, lines = drawn.table, drawn.lines
    there = {
        "corrected": ("Corrections", bool(drawn.corrected)),
        "filled": ("Gaps filled", bool(drawn.filled or (table and table.filled))),
        "chain": ("The chain", bool(drawn.film)),
        "samples": ("Samples", True),
        "beside": (f"Beside real {noun}", measured or table is not None),
        "marginals": ("Columns", bool(table and table.panels)),
        "properties": ("Properties", bool(lines and (lines.panels or lines.note))),
        "pairs": ("Pairs of columns", bool(table and table.pairs)),
        "curve": ("Learning curve", bool(panels)),
        "figures": ("Figures", True),
        "commands": ("Commands", True),
        "config": ("Config", True),
        "environment": ("Environment", True),
    }
    return [(name, title) for name, (title, shown) in there.items() if shown]


def _plain(value: object) -> str:
    """A number of a config as it is typed."""
    return str(list(value)) if isinstance(value, tuple) else str(value)
