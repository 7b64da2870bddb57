"""results.json: every figure that was measured of a run, and what it takes to do so again."""

import json
import math
import sys
from pathlib import Path
from typing import Any

from amd_jax.runs import documents

NAME = "results.json"


def add(workdir: Path, **figure: Any) -> None:
    """Adds a figure to the results of a run, in the place of an earlier one measured alike.

    Figures are alike if all but their values, their errors and the command are the same. Numbers
    that are not finite become null. Only for a local workdir.
    """
    figure = {name: _plain(value) for name, value in figure.items()} | {"command": sys.argv}
    others = [found for found in read(workdir) if _question(found) != _question(figure)]
    documents.write_json(Path(workdir) / NAME, [*others, figure])


def read(workdir: Path) -> list[dict[str, Any]]:
    """The figures of a run; none if the file is missing or damaged."""
    return look(workdir)[0]


def look(workdir: Path) -> tuple[list[dict[str, Any]], str]:
    """The figures of a run, and what is wrong with their file: empty if it is sound or missing."""
    path = Path(workdir) / NAME
    if not path.is_file():
        return [], ""
    try:
        found = json.loads(documents.content(path))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return [], (reason.splitlines() or [type(error).__name__])[0]
    if not isinstance(found, list):
        return [], f"it holds no list, but {type(found).__name__}"
    figures = [figure for figure in found if isinstance(figure, dict)]
    return figures, "" if len(figures) == len(found) else "some of it are no figures"


def _question(figure: dict[str, Any]) -> dict[str, Any]:
    """What was measured."""
    return {k: v for k, v in figure.items() if k not in ("value", "error", "command")}


def _plain(value: Any) -> Any:
    """A value of JSON: null for numbers that are not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
