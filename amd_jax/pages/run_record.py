"""The record of a run from its files, read without executing any of its code."""

import ast
from pathlib import Path, PurePath
from typing import NamedTuple

from amd_jax.evaluation.measurement import Measurement, finite
from amd_jax.facts import Json
from amd_jax.runs import metrics_log, per_row, results, run_files, run_folder


class Record(NamedTuple):
    """A run as its folder tells it."""

    workdir: str
    config: Json
    facts: Json
    notes: Json  # run.json
    source: str  # of the experiment file
    metrics: list[Json]
    figures: list[Measurement]
    step: int  # of the newest checkpoint
    problems: list[str]  # a line on each thing that is missing or damaged

    @property
    def name(self) -> str:
        """What the experiment is called; without a file, as the folder is."""
        stem = PurePath(str(self.notes.get("file"))).stem
        return stem if self.source and stem != "None" else PurePath(self.workdir).name

    @property
    def total(self) -> int:
        """How many steps the run is to have."""
        return self.config["num_steps"]

    @property
    def unit(self) -> str:
        """What one token of its data is called."""
        return str(self.facts.get("unit", "dim"))

    @property
    def sentence(self) -> str:
        """The first sentence of the experiment file; empty if there is none."""
        try:
            docstring = ast.get_docstring(ast.parse(self.source)) or ""
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ""
        return docstring.split("\n\n")[0].replace("\n", " ")

    @property
    def seconds(self) -> float | None:
        """How long it was trained, all its sittings together."""
        result = [finite(line.get("elapsed_seconds")) for line in self.metrics]
        return max((seconds for seconds in result if seconds is not None), default=None)


def read(workdir: str | Path) -> Record:
    """The record of the run in a folder; ValueError if it holds none.

    What is only of use for a page may be missing or damaged: that is one of the `problems`.
    """
    contents, notes = run_folder.contents(workdir), run_folder.read_notes(workdir)
    folder, problems = run_files.at(workdir), []
    metrics, broken = metrics_log.read(folder)
    if not metrics:
        problems.append(
            f"There is no learning curve: {folder / metrics_log.NAME} is missing, or has no whole "
            "line."
        )
    elif broken:
        are = "line is" if broken == 1 else "lines are"
        problems.append(
            f"{broken} {are} left out of {folder / metrics_log.NAME}: damaged, or cut off in the "
            "middle."
        )
    figures, damage, rows_damage = results.look(folder)
    if damage:
        problems.append(
            f"{folder / results.NAME} is damaged: {damage}. Its figures are left out; evaluate "
            "the run again."
        )
    if rows_damage:
        problems.append(
            f"{folder / per_row.NAME} is damaged: {rows_damage}. Without it figures of this "
            "run are not compared row by row; evaluate it again."
        )
    steps = run_folder.steps(folder / run_folder.CHECKPOINTS)
    return Record(
        str(workdir),
        contents.config,
        contents.facts,
        notes,
        contents.source,
        metrics,
        figures,
        max(steps, default=0),
        problems,
    )


def duration(seconds: float) -> str:
    """A time in words: "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"."""
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts: list[str] = []
    left = round(seconds)
    for size, name in units:
        if left >= size or (size == 1 and not parts):
            parts.append(f"{left // size} {name}")
            left %= size
        elif parts:
            break
    return " ".join(parts[:2])
