"""The HTML page of one run: its record, and samples of its model."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from amd_jax.facts import Json
from amd_jax.pages import curve, figures, run_record, templates
from amd_jax.pages.curve import Panel
from amd_jax.pages.run_record import Record
from amd_jax.pages.shows import Corrected, Shown
from amd_jax.runs import run_folder

NOUNS = {"text": "text", "maps": "maps", "points": "points"}  # by the kind of facts


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


class Tile(NamedTuple):
    """A number at the top of a page."""

    name: str
    value: str
    rest: str = ""


def page(record: Record, drawn: Drawn, commands: Sequence[tuple[str, str]]) -> str:
    """The page of a run, complete; `commands` are a title and a command line each."""
    shared = {"record": record, "drawn": drawn, "commands": commands, "legend": drawn.legend}
    result, levels, split = _curves(record)
    panels = [p for unit in result if (p := curve.panel(result[unit], levels[unit]))]
    every = [one for ones in result.values() for one in ones]
    return templates.filled(
        "run.html.j2",
        title=record.name,
        summary=summary(record, drawn),
        tiles=tiles(record, drawn),
        sections=_sections(drawn, panels),
        noun=NOUNS.get(str(record.facts.get("kind")), "data"),
        panels=panels,
        has_bands=any(p.error for one in every for p in one.points),
        has_levels=any(levels.values()),
        level_split=split,
        has_loss=any(one.is_loss for one in every),
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
    if record.step >= record.total:
        state = f"its training of {record.total:,} steps is finished"
    else:
        state = f"it is not finished: step {record.step:,} of {record.total:,}"
    return f"{drawn.model}, {drawn.parameters:,} parameters; learnt from {data}; {state}."


def tiles(record: Record, drawn: Drawn) -> list[Tile]:
    """The numbers at the top: bits, parameters, steps, time."""
    result = []
    if best := figures.best(record.figures):
        value, _, error = figures.value(best).partition(" ± ")
        on = f", {best.split}" if best.split else ""
        result.append(Tile(figures.what(best) + on, value, f"± {error}" if error else ""))
    state = "" if record.step >= record.total else f"of {record.total:,}"
    result.append(Tile("training steps", f"{record.step:,}", state))
    result.append(Tile("parameters", count(drawn.parameters), ""))
    if record.seconds is not None:
        result.append(Tile("training time", run_record.duration(record.seconds)))
    return result


def count(number: int) -> str:
    """A large number in few signs: "740 k", "51.5 M"."""
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            digits = max(0, 2 - int(math.log10(number / size)))
            return f"{number / size:.{digits}f} {sign}"
    return str(number)


def environment(record: Record, drawn: Drawn) -> list[tuple[str, str]]:
    """Where and by what the run was made."""
    notes, versions = record.notes, record.notes.get("versions")
    result = [
        ("git commit", notes.get("commit", "unknown")),
        ("Python", notes.get("python", "unknown")),
        *(versions.items() if isinstance(versions, dict) else ()),
        ("this page", f"made on {drawn.device}, with the parameters of step {drawn.step:,}"),
        ("run", notes.get("run", "unknown")),
    ]
    return [(name, str(value)) for name, value in result]


def _curves(record: Record) -> tuple[dict, dict, str]:
    """The series and the levels of each unit, and the split that these are of."""
    result: dict[str, list[curve.Series]] = {}
    for one in curve.series(record.metrics):
        result.setdefault(one.unit, []).append(one)
    levels = {unit: curve.levels(record.figures, unit) for unit in result}
    splits = {f.split for f in record.figures if f.what == "count_model" and f.split}
    return result, levels, " and ".join(sorted(splits))


def _sections(drawn: Drawn, panels: Sequence[Panel]) -> list[tuple[str, str]]:
    """The id and the name of each section that the page has."""
    there = {
        "chain": ("The chain", bool(drawn.film)),
        "samples": ("Samples", True),
        "corrected": ("Corrections", bool(drawn.corrected)),
        "filled": ("Gaps filled", bool(drawn.filled)),
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
