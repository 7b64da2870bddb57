"""Measured figures in words: what, on which data, and by which command."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from amd_jax.evaluation import means
from amd_jax.evaluation.means import PerRow
from amd_jax.pages import commands, values

SHARES = {
    "restored": "wrong tokens that a correction restored",
    "spoiled": "right tokens that it changed",
}
SAID = {"what", "value", "error", "command", "step", "seed", "bound", "how", "exact", "split"}
SAID |= {"examples", "rows", "unit", "order", "error_rate", "of", "to"}
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


def grouped(figures: Sequence[dict[str, Any]]) -> list[Group]:
    """The figures by the command that reproduces them, in the order in which they are kept."""
    groups: dict[str, list[Row]] = {}
    for figure in figures:
        argv = figure.get("command")
        command = commands.shell_line(argv) if isinstance(argv, list) else ""
        groups.setdefault(command, []).append(row(figure))
    return [Group(command, rows) for command, rows in groups.items()]


def row(figure: dict[str, Any]) -> Row:
    """A figure in words, whatever it holds."""
    number = figure.get("examples", figure.get("rows"))
    on = [str(figure["split"])] if "split" in figure else []
    on += [f"{number:,} rows"] if isinstance(number, int) else []
    method = [str(figure["how"])] if figure.get("how") else []
    if "error_rate" in figure:
        method.append(f"error rate {figure['error_rate']}")
    method += [f"{name} {value}" for name, value in figure.items() if name not in SAID]
    if figure.get("seed"):
        method.append(f"seed {figure['seed']}")
    return Row(what(figure), ", ".join(on), ", ".join(method), _step(figure), value(figure))


def what(figure: dict[str, Any]) -> str:
    """What was measured, and what it was compared with."""
    kind = str(figure.get("what", "?"))
    if kind.endswith(DIFFERENCE):
        return f"{_what(kind.removesuffix(DIFFERENCE), figure)}, minus {figure.get('to', '?')}"
    return _what(kind, figure)


def _what(kind: str, figure: dict[str, Any]) -> str:
    unit = figure.get("unit", "dim")
    if kind == "bits":
        bound = figure.get("bound", figure.get("of", "bound"))
        name = "exact likelihood" if figure.get("exact") and bound == "likelihood" else bound
        return f"bits per {unit} ({name})"
    if kind == "count_model":
        return f"bits per {unit} (count model of order {figure.get('order', '?')})"
    return SHARES.get(kind, kind.replace("_", " "))


def value(figure: dict[str, Any]) -> str:
    """The value with its standard error: "2.315 ± 0.022"; a dash for what is no number.

    A difference has a sign, a share is in percent.
    """
    result, error = (values.number(figure.get(name)) for name in ("value", "error"))
    if result is None:
        return "–"
    kind = str(figure.get("what"))
    form = ".2%" if kind.removesuffix(DIFFERENCE) in SHARES else ".3f"
    shown = means.signed if kind.endswith(DIFFERENCE) else means.shown
    return shown(result, math.nan if error is None else error, form)


def compared(figure: dict[str, Any]) -> bool:
    """Whether a figure of one run says something beside that of another one."""
    return str(figure.get("what")) in {"bits", *SHARES}


def difference(figure: dict[str, Any], above: PerRow) -> str:
    """How much more a figure is than another one of the same rows: "+0.208 ± 0.017"."""
    result, error = above.mean()
    return value({"what": f"{figure['what']}{DIFFERENCE}", "value": result, "error": error})


def best(figures: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The figure to name first: bits, of the test split if there are such, of the last step."""
    bits = [
        f for f in figures if f.get("what") == "bits" and values.number(f.get("value")) is not None
    ]
    order = [(f.get("split") == "test", values.number(f.get("step")) or 0) for f in bits]
    return bits[max(range(len(bits)), key=order.__getitem__)] if bits else None


def _step(figure: dict[str, Any]) -> str:
    result = values.number(figure.get("step"))
    return "" if result is None else f"{result:,}"
