"""The grids of times that a run keeps, by their number of steps: grids.json."""

import shlex
from pathlib import Path
from typing import Any

from amd_jax.runs import documents

NAME = "grids.json"


def keep(workdir: Path, times: tuple[float, ...], step: int, **how: Any) -> Path:
    """Keeps a grid, made at a step of the run, in the place of one of as many steps; its file."""
    known, path = _read(workdir), workdir / NAME
    found = {"step": step, **how, "times": times}
    documents.write_json(path, known | {str(len(times) - 1): found})
    return path


def find(workdir: str | Path, steps: int) -> tuple[tuple[float, ...], int]:
    """The times of a grid of so many steps, and the step of the run that it was made at.

    Raises ValueError if there is none, or if the file is damaged.
    """
    found = _read(workdir).get(str(steps))
    if found is None:
        raise ValueError(
            f"{workdir} keeps no best grid of {steps} steps. Make it: python -m experiments.run "
            f"--workdir={shlex.quote(str(workdir))} --mode=grid --steps={steps}"
        )
    try:
        return tuple(map(float, found["times"])), int(found["step"])
    except (KeyError, TypeError, ValueError) as error:
        path = documents.at(workdir) / NAME
        raise documents.damaged(path, f"its {steps} is no grid") from error


def _read(workdir: str | Path) -> dict[str, Any]:
    """What is kept; nothing if there is no file."""
    path = documents.at(workdir) / NAME
    return documents.read_json(path, {}) if path.exists() else {}
