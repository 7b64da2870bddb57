"""grids.json: the grids of times that a run keeps, by their number of steps."""

import shlex
from pathlib import Path

from amd_jax.facts import Json
from amd_jax.host.log import logger
from amd_jax.runs import run_files

NAME = "grids.json"


def keep(workdir: Path, times: tuple[float, ...], step: int, **kwargs: object) -> Path:
    """Keeps a grid, made at a step of the run, in the place of one of as many steps; its file."""
    known, path = _read(workdir), workdir / NAME
    result = {"step": step, **kwargs, "times": times}
    run_files.write_json(path, known | {str(len(times) - 1): result})
    return path


def find(workdir: str | Path, steps: int, at: int) -> tuple[float, ...]:
    """The times of a grid with this number of steps, to be used `at` a step of the run.

    Says so if it was made at another one; 0 is none. Raises ValueError if there is no such grid,
    or if the file is damaged.
    """
    result = _read(workdir).get(str(steps))
    if result is None:
        raise ValueError(
            f"{workdir} keeps no best grid of {steps} steps. Make it: python -m experiments.run "
            f"--workdir={shlex.quote(str(workdir))} --mode=grid --steps={steps}"
        )
    try:
        times, step = tuple(map(float, result["times"])), int(result["step"])
    except (KeyError, TypeError, ValueError) as error:
        path = run_files.at(workdir) / NAME
        raise run_files.damaged(path, f"its {steps} is no grid") from error
    if at not in (0, step):
        logger.warning(
            f"the grid of {steps} steps was made at step {step}, not {at}: it serves, but another "
            "may be better. --mode=grid makes it anew"
        )
    return times


def _read(workdir: str | Path) -> Json:
    """What is kept; nothing if there is no file."""
    path = run_files.at(workdir) / NAME
    return run_files.read_json(path, {}) if path.exists() else {}
