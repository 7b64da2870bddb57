"""Measured figures in words: what, on which data, and by which command."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from amd_jax.evaluation import means
from amd_jax.evaluation.lines import line_measures, property_measures
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.tables import measures
from amd_jax.pages import commands

SHARES = {
    "restored": "wrong tokens that a correction restored",
    "spoiled": "right tokens that it changed",
    "filled": "hidden tokens that a filling restored",
}
SIDES = {
    "least_bits": "at least, in expectation",
    "lowest_bits": "of these rows from, with two errors of the draws",
    "highest_bits": "of these rows up to, with two errors of the draws",
}
DIFFERENCE = "_difference"  # ends what says that two figures were compared


class Row(NamedTuple):
    """A figure, each part of it as text."""

    what: str
    on: str  # the split, and how much of it
    method: str
    step: str
    value: str


class Group(NamedTuple):
    """The figures that one command has measured."""

    command: str
    rows: list[Row]


def grouped(figures: Sequence[Measurement]) -> list[Group]:
    """The figures by the command that reproduces them, in the order in which they are kept."""
    groups: dict[str, list[Row]] = {}
    for figure in figures:
        command = commands.shell_line(figure.command) if figure.command else ""
        groups.setdefault(command, []).append(row(figure))
    return [Group(command, rows) for command, rows in groups.items()]


def row(figure: Measurement) -> Row:
    """A figure in words."""
    on = [figure.split, f"{figure.examples:,} rows" if figure.examples is not None else None]
    method = [figure.method]
    if figure.error_rate is not None:
        method.append(f"error rate {figure.error_rate}")
    if figure.seed:
        method.append(f"seed {figure.seed}")
    if figure.failure:
        method.append(f"not measured: {figure.failure}")
    step = "" if figure.step is None else f"{figure.step:,}"
    return Row(what(figure), _listed(on), _listed(method), step, value(figure))


def what(figure: Measurement) -> str:
    """What was measured, and what it was compared with."""
    if figure.what.endswith(DIFFERENCE):
        return f"{_what(figure)}, minus {figure.to or '?'}"
    return _what(figure)


def _what(figure: Measurement) -> str:
    unit, kind = figure.unit or "dim", figure.what.removesuffix(DIFFERENCE)
    if kind == "bits":
        bound = figure.bound or figure.of or "bound"
        name = "exact likelihood" if figure.exact and bound == "likelihood" else bound
        return f"bits per {unit} ({name})"
    if kind == "bits_of_text":
        return f"bits per {unit} of the text"
    if kind in SIDES:
        return f"bits per {unit}, {SIDES[kind]} ({figure.bound})"
    if kind == "count_model":
        return f"bits per {unit} (count model of order {figure.order})"
    if kind == "baseline":
        return f"bits per {unit} (baseline)"
    floored = kind.removesuffix(measures.FLOOR)
    of_lines = line_measures.NAMES | property_measures.NAMES
    for names, real in ((measures.NAMES, "training rows"), (of_lines, "real lines")):
        if floored in names:
            return names[floored] if floored == kind else f"{names[floored]}: {real}"
    return SHARES.get(kind, kind.replace("_", " "))


def value(figure: Measurement) -> str:
    """The value with its standard error, as `shown`."""
    return shown(figure.what, figure.value, figure.error)


def shown(what: str, value: float | None, error: float | None) -> str:
    """A figure with its standard error: "2.315 ± 0.022"; a dash where there is none.

    A difference has a sign, a share is in percent.
    """
    if value is None:
        return "–"
    kind = what.removesuffix(DIFFERENCE).removesuffix(measures.FLOOR)
    form = ".2%" if kind in {*SHARES, *line_measures.SHARES, "copies"} else ".3f"
    written = means.signed if what.endswith(DIFFERENCE) else means.shown
    return written(value, math.nan if error is None else error, form)


def is_compared(figure: Measurement) -> bool:
    """Whether a figure of one run says something beside that of another one."""
    return figure.what in {"bits", *SHARES}


def best(figures: Sequence[Measurement], what: str = "bits") -> Measurement | None:
    """The figure to name first: of the test split if there are such, of the last step."""
    alike = [figure for figure in figures if figure.what == what and figure.value is not None]
    order = [(figure.split == "test", figure.step or 0) for figure in alike]
    return alike[max(range(len(alike)), key=order.__getitem__)] if alike else None


def _listed(parts: Sequence[str | None]) -> str:
    return ", ".join(filter(None, parts))
