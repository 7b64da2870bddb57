"""The page of several runs side by side, from what they have written down."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from amd_jax.pages import curve, figures, run_record, shows, templates
from amd_jax.pages.run_record import Record
from amd_jax.runs import results, run_files, run_folder

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


def page(found: Sequence[Record]) -> str:
    """The page of some runs, complete."""
    labels = named(found)
    return templates.filled(
        "comparison.html.j2",
        title=" · ".join(labels),
        labels=labels,
        problems=[line for record in found for line in record.problems],
        overview=overview(found),
        panels=panels(found, labels),
        figures=measured(found),
        samples=[samples(record) for record in found],
        differences=differences(found),
    )


def named(found: Sequence[Record]) -> list[str]:
    """What each run is called: its folder; with the path to it where two are called alike."""
    names = [PurePath(record.workdir).name or record.workdir for record in found]
    return [
        record.workdir if names.count(name) > 1 else name
        for record, name in zip(found, names, strict=True)
    ]


def overview(found: Sequence[Record]) -> Table:
    """What each run is, and how far it has come."""
    best = [figures.best(record.figures) for record in found]
    beyond = beyond_first(found, best)
    rows = {
        "experiment": [record.name for record in found],
        "data": [str(record.facts.get("name", "data")) for record in found],
        "bits": [_bits(figure) for figure in best],
        **({f"bits {beyond[0]}": beyond[1]} if beyond else {}),
        "training steps": [_steps(record) for record in found],
        "training time": [_time(record) for record in found],
        "git commit": [str(record.notes.get("commit", "unknown")) for record in found],
        "folder": [record.workdir for record in found],
    }
    return Table(list(rows.items()))


def panels(found: Sequence[Record], labels: Sequence[str]) -> list[curve.Panel]:
    """A plot for each unit: of each run the bound on the validation split, or else the loss.

    Count models are drawn where all runs are of the same data.
    """
    by_unit: dict[str, list[curve.Series]] = {}
    for record, label in zip(found, labels, strict=True):
        of_run: dict[str, curve.Series] = {}
        for one in curve.series(record.metrics):  # the bounds first
            of_run.setdefault(one.unit, one._replace(name=f"{label}: {one.name}"))
        for unit, one in of_run.items():
            by_unit.setdefault(unit, []).append(one)
    same = all(record.notes["digests"] == found[0].notes["digests"] for record in found)
    return [
        drawn
        for unit, several in by_unit.items()
        if (drawn := curve.panel(several, curve.levels(found[0].figures, unit) if same else ()))
    ]


def measured(found: Sequence[Record]) -> Table:
    """Every figure that one of the runs has, those measured alike in one row.

    Below it, where several runs have it of the same rows, its difference from run to run.
    """
    rows: dict[tuple[str, str, str], list[dict[str, Any] | None]] = {}
    for i, record in enumerate(found):
        for figure in record.figures:
            row = figures.row(figure)
            alike = rows.setdefault((row.what, row.on, row.how), [None] * len(found))
            alike[i] = figure
    lines = []
    for name, alike in rows.items():
        title = "; ".join(filter(None, name))
        lines.append((title, [figures.value(figure) if figure else "–" for figure in alike]))
        if beyond := beyond_first(found, alike):
            lines.append((f"{title}; {beyond[0]}", beyond[1]))
    return Table(lines)


def beyond_first(
    found: Sequence[Record], alike: Sequence[dict[str, Any] | None]
) -> tuple[str, list[str]] | None:
    """How much more the figure of each run is than that of the first which has it, by pairs.

    As what is subtracted, and a cell for each run; None unless two runs have it of the same rows.
    """
    known = [
        record.per_row.get(results.key(figure)) if figures.compared(figure) else None
        for record, figure in zip(found, alike, strict=True)
    ]
    first, *others = [i for i, per_row in enumerate(known) if per_row is not None] or [0]
    cells = ["–"] * len(found)
    for i in others:
        same_data = found[i].notes["digests"] == found[first].notes["digests"]
        same_split = alike[i].get("split") == alike[first].get("split")
        if same_data and same_split and known[i].is_of(known[first]):
            cells[i] = figures.difference(alike[i], known[i].minus(known[first]))
    is_empty = all(cell == "–" for cell in cells)
    return None if is_empty else (f"minus {named(found)[first]}, by pairs of rows", cells)


def differences(found: Sequence[Record]) -> Table:
    """The numbers of the config that differ from run to run, and the experiment files if they do.

    A run that has no such number has a dash.
    """
    numbers = [dict(run_folder.named(record.config)) for record in found]
    names = sorted({name for known in numbers for name in known})
    rows = [(name, [_told(known, name) for known in numbers]) for name in names]
    rows = [(name, cells) for name, cells in rows if len(set(cells)) > 1]
    others = ["another" if run_folder.differ(r.source, found[0].source) else "this" for r in found]
    if "another" in others:
        rows.append(("experiment file", others))
    return Table(rows)


def samples(record: Record) -> Samples:
    """The samples that lie in the folder of a run; none if there are none that can be read."""
    place = run_files.at(record.workdir)
    for ending in ("png", "txt"):
        for path in sorted(place.glob(f"samples_seed*.{ending}")):
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


def _told(numbers: dict, name: str) -> str:
    return repr(numbers[name]) if name in numbers else "–"


def _bits(best: dict[str, Any] | None) -> str:
    return f"{figures.value(best)} {figures.what(best)}" if best else "–"


def _steps(record: Record) -> str:
    return f"{record.step:,} of {record.total:,}"


def _time(record: Record) -> str:
    return "–" if record.seconds is None else run_record.duration(record.seconds)
