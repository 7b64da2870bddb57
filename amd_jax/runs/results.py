"""results.json: every figure that was measured of a run, and what it takes to do so again.

What a mean over rows was in each of them lies beside it (`per_row`).
"""

import hashlib
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amd_jax.runs import checkpoint_files, per_row, run_files

NAME = "results.json"
Rows = Sequence[np.ndarray] | np.ndarray  # sums and counts, (N,) each


def add(workdir: Path, each: Rows | None = None, /, **figure: Any) -> None:
    """Adds a figure to the results of a run, in the place of an earlier one measured alike.

    Figures are alike if all but their values, their errors and the command are the same. Numbers
    that are not finite become null. `each` are the sums and the counts (N,) of its rows, if it is
    a mean over such. Only for a local workdir.
    """
    figure = {name: _plain(value) for name, value in figure.items()} | {"command": sys.argv}
    others = [result for result in read(workdir) if _question(result) != _question(figure)]
    known, _ = look_at_rows(workdir, others)
    mine = {} if each is None else {key(figure): np.stack([*each]).astype(np.float64)}
    if known or mine:
        per_row.write(Path(workdir), known | mine)
    run_files.write_json(Path(workdir) / NAME, [*others, figure])


def read(workdir: Path) -> list[dict[str, Any]]:
    """The figures of a run; none if the file is missing or damaged."""
    return look(workdir)[0]


def key(figure: dict[str, Any]) -> str:
    """The name of a figure in the file of rows: a checksum of what was measured."""
    question = {name: _plain(value) for name, value in _question(figure).items()}
    try:
        text = json.dumps(question, sort_keys=True)
    except RecursionError:  # no figure of ours: nothing is called like it
        text = ""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_rows(workdir: Path) -> dict[str, np.ndarray]:
    """The rows of the figures of a run by `key`; says so if their file is damaged."""
    result, damage = look_at_rows(workdir, read(workdir))
    if damage:
        checkpoint_files.say(
            f"{workdir / per_row.NAME} is damaged: {damage}. Its figures are measured anew"
        )
    return result


def look_at_rows(
    workdir: Path, figures: list[dict[str, Any]]
) -> tuple[dict[str, np.ndarray], str]:
    """The rows of some figures by `key`, and what is wrong with their file: empty if nothing."""
    result, damage = per_row.look(workdir)
    names = set(map(key, figures))
    return {name: rows for name, rows in result.items() if name in names}, damage


def look(workdir: Path) -> tuple[list[dict[str, Any]], str]:
    """The figures of a run, and what is wrong with their file: empty if it is sound or missing."""
    path = Path(workdir) / NAME
    if not path.is_file():
        return [], ""
    try:
        result = json.loads(run_files.content(path))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return [], (reason.splitlines() or [type(error).__name__])[0]
    if not isinstance(result, list):
        return [], f"it holds no list, but {type(result).__name__}"
    figures = [figure for figure in result if isinstance(figure, dict)]
    return figures, "" if len(figures) == len(result) else "some of it are no figures"


def _question(figure: dict[str, Any]) -> dict[str, Any]:
    """What was measured."""
    return {k: v for k, v in figure.items() if k not in ("value", "error", "command")}


def _plain(value: Any) -> Any:
    """A value of JSON: null for numbers that are not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
