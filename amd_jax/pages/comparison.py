"""The page that compares several runs, from their files."""

import re
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from amd_jax.evaluation.measurement import Measurement
from amd_jax.pages import curve, figures, run_record, shows, templates
from amd_jax.pages.run_record import Record
from amd_jax.runs import run_files, run_folder
from amd_jax.runs.run_files import AnyPath

LINES = 2  # of a file of samples
LARGEST = 3_000_000  # bytes of a picture; no more of a text is read


class Samples(NamedTuple):
    """What lies in the folder of a run: texts, or the address of a picture."""

    texts: list[str]
    picture: str
    file: str


class Table(NamedTuple):
    """A column for each run: for each row its name, and a cell for each run."""

    rows: list[tuple[str, list[str]]]


def page(result: Sequence[Record]) -> str:
    """The page of some runs, complete."""
    labels = named(result)
    return templates.filled(
        "comparison.html.j2",
        title=" · ".join(labels),
        labels=labels,
        problems=[line for record in result for line in record.problems],
        overview=overview(result),
        panels=panels(result, labels),
        figures=measured(result),
        samples=[samples(record) for record in result],
        differences=differences(result),
    )


def named(result: Sequence[Record]) -> list[str]:
    """What each run is called: its folder; with the path to it where two are called alike."""
    names = [PurePath(record.workdir).name or record.workdir for record in result]
    return [
        record.workdir if names.count(name) > 1 else name
        for record, name in zip(result, names, strict=True)
    ]


def overview(result: Sequence[Record]) -> Table:
    """What each run is, and how far it has come."""
    best = [figures.best(record.figures) for record in result]
    beyond = beyond_first(result, best)
    rows = {
        "experiment": [record.name for record in result],
        "data": [str(record.facts.get("name", "data")) for record in result],
        "bits": [_bits(figure) for figure in best],
        **({f"bits {beyond[0]}": beyond[1]} if beyond else {}),
        "training steps": [_steps(record) for record in result],
        "training time": [_time(record) for record in result],
        "git commit": [str(record.notes.get("commit", "unknown")) for record in result],
        "folder": [record.workdir for record in result],
    }
    return Table(list(rows.items()))


def panels(result: Sequence[Record], labels: Sequence[str]) -> list[curve.Panel]:
    """The plots of the bounds of runs on the validation split, or else of their losses.

    Count models are drawn where all runs are of the same data.
    """
    drawn: list[curve.Series] = []
    for record, label in zip(result, labels, strict=True):
        of_run: dict[str, curve.Series] = {}
        for one in curve.series(record.metrics):  # the bounds first
            of_run.setdefault(one.unit, one._replace(name=f"{label}: {one.name}"))
        drawn += of_run.values()
    same = all(record.notes["digests"] == result[0].notes["digests"] for record in result)
    measured = result[0].figures if same else []
    return curve.panels(drawn, lambda unit: curve.count_levels(measured, unit))


def measured(result: Sequence[Record]) -> Table:
    """Every figure that one of the runs has, those measured alike in one row.

    Below it, where several runs have it of the same rows, its difference from run to run.
    """
    rows: dict[tuple[str, str, str], list[Measurement | None]] = {}
    for i, record in enumerate(result):
        for figure in record.figures:
            row = figures.row(figure)
            alike = rows.setdefault((row.what, row.on, row.method), [None] * len(result))
            alike[i] = figure
    lines = []
    for name, alike in rows.items():
        title = "; ".join(filter(None, name))
        lines.append((title, [figures.value(figure) if figure else "–" for figure in alike]))
        if beyond := beyond_first(result, alike):
            lines.append((f"{title}; {beyond[0]}", beyond[1]))
    return Table(lines)


def beyond_first(
    result: Sequence[Record], alike: Sequence[Measurement | None]
) -> tuple[str, list[str]] | None:
    """How much more the figure of each run is than that of the first which has it, by pairs.

    As what is subtracted, and a cell for each run; None unless two runs have it of the same rows.
    """
    known = [
        (i, figure, figure.per_row)
        for i, figure in enumerate(alike)
        if figure is not None and figures.is_compared(figure) and figure.per_row is not None
    ]
    if not known:
        return None
    (first, base, least), *others = known
    cells = ["–"] * len(result)
    for i, figure, per_row in others:
        same_data = result[i].notes["digests"] == result[first].notes["digests"]
        if same_data and figure.split == base.split and per_row.is_of(least):
            above = per_row.minus(least).mean()
            cells[i] = figures.shown(f"{figure.what}{figures.DIFFERENCE}", *above)
    is_empty = all(cell == "–" for cell in cells)
    return None if is_empty else (f"minus {named(result)[first]}, by pairs of rows", cells)


def differences(result: Sequence[Record]) -> Table:
    """The numbers of the config that differ from run to run, and the experiment files if they do.

    A run that has no such number has a dash.
    """
    numbers = [dict(run_folder.named(record.config)) for record in result]
    names = sorted({name for known in numbers for name in known})
    rows = [(name, [_number(known, name) for known in numbers]) for name in names]
    rows = [(name, cells) for name, cells in rows if len(set(cells)) > 1]
    others = [
        "another" if run_folder.differ(r.source, result[0].source) else "this" for r in result
    ]
    if "another" in others:
        rows.append(("experiment file", others))
    return Table(rows)


def samples(record: Record) -> Samples:
    """The latest samples in the folder of a run, of its first seed; none if none can be read."""
    folder = run_files.at(record.workdir)
    for ending in ("png", "txt"):
        for path in sorted(folder.glob(f"samples_seed*.{ending}"), key=_order):
            try:
                with run_files.opened(path, follow=False) as file:
                    content = file.read(LARGEST + 1)
            except OSError:  # such as a link, or a pipe
                continue
            if ending == "png" and len(content) <= LARGEST:
                return Samples([], shows.data_address(content), path.name)
            if ending == "txt":
                lines = content.decode(errors="replace").splitlines()[:LINES]
                return Samples([line.replace("⏎", "\n") for line in lines], "", path.name)
    return Samples([], "", "")


def _order(path: AnyPath) -> tuple[int, int]:
    """Of samples_seed0-2: the seed, and then what was made last, first."""
    parts = re.fullmatch(r"samples_seed(\d{1,10})(?:-(\d{1,10}))?", path.stem)
    return (int(parts[1]), -int(parts[2] or 1)) if parts else (sys.maxsize, 0)


def _number(numbers: dict, name: str) -> str:
    return repr(numbers[name]) if name in numbers else "–"


def _bits(best: Measurement | None) -> str:
    return f"{figures.value(best)} {figures.what(best)}" if best else "–"


def _steps(record: Record) -> str:
    return f"{record.step:,} of {record.total:,}"


def _time(record: Record) -> str:
    return "–" if record.seconds is None else run_record.duration(record.seconds)
