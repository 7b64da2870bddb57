"""results.json: every figure that was measured of a run, and what it takes to do so again.

What a mean over rows was in each of them lies beside it (`per_row`).
"""

import dataclasses
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.measurement import ANSWER, Measurement
from amd_jax.facts import Json
from amd_jax.host.log import logger
from amd_jax.runs import per_row, run_files
from amd_jax.runs.run_files import AnyPath

NAME = "results.json"


def add(workdir: Path, *figures: Measurement) -> None:
    """Adds figures to the results of a run, each in the place of an earlier one measured alike.

    Figures are alike if all but their values, their errors and the command are the same. Numbers
    that are not finite become null. What is no figure stays. Only for a local workdir.
    """
    questions = [figure.question() for figure in figures]
    kept = [known for known in look(workdir)[0] if known.question() not in questions]
    kept += [dataclasses.replace(figure, command=tuple(sys.argv)) for figure in figures]
    arrays = {
        key(figure.to_json()): np.stack([*figure.per_row]).astype(np.float64)
        for figure in kept
        if figure.per_row is not None
    }
    if arrays:
        per_row.write(workdir, arrays)
    others = [entry for entry in _entries(workdir / NAME)[0] if not _is_figure(entry)]
    run_files.write_json(workdir / NAME, [*others, *(figure.to_json() for figure in kept)])


def read(workdir: AnyPath) -> list[Measurement]:
    """The figures of a run; says so if what they were in each row is damaged."""
    figures, _, damage = look(workdir)
    if damage:
        logger.warning(
            f"{workdir / per_row.NAME} is damaged: {damage}. Its figures are measured anew"
        )
    return figures


def look(workdir: AnyPath) -> tuple[list[Measurement], str, str]:
    """The figures of a run, and what is wrong with their file and with that of their rows.

    Nothing ("") is wrong with one that is sound or missing.
    """
    entries, damage = _entries(workdir / NAME)
    arrays, rows_damage = per_row.look(workdir)
    figures = []
    for entry in entries:
        try:
            figure = Measurement.from_json(entry)
        except ValueError as error:
            damage = damage or f"some of it are no figures: {error}"
            continue
        rows = arrays.get(key(entry))
        figures.append(
            dataclasses.replace(figure, per_row=None if rows is None else PerRow(*rows))
        )
    return figures, damage, rows_damage


def _is_figure(entry: object) -> bool:
    try:
        Measurement.from_json(entry)
    except ValueError:
        return False
    return True


def key(entry: Json) -> str:
    """The name of an entry in the file of rows: a checksum of what was measured."""
    question = {n: value for n, value in entry.items() if n not in ANSWER}
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:16]


def _entries(path: AnyPath) -> tuple[list, str]:
    """What a file holds, and what is wrong with it."""
    if not path.is_file():
        return [], ""
    try:
        result = json.loads(run_files.content(path))
    except (OSError, ValueError, RecursionError) as error:
        return [], (run_files.cause(error).splitlines() or [type(error).__name__])[0]
    if not isinstance(result, list):
        return [], f"it holds no list, but {type(result).__name__}"
    return result, ""
