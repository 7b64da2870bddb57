"""`--mode=grid`: finds the best grid of some steps, and keeps it with the run."""

from pathlib import Path
from typing import Any

import jax

from amd_jax.cli.flags import one
from amd_jax.cli.mode_options import Grid
from amd_jax.devices import parallel
from amd_jax.evaluation import means
from amd_jax.evaluation.reports import run_report
from amd_jax.experiment import LoadedModel
from amd_jax.host.printable import in_one_line
from amd_jax.models.declared import GridSearch
from amd_jax.models.step_bounds import AllSteps
from amd_jax.runs import saved_grids

ROWS = 32  # rows that a grid is computed from, by default


def grid(loaded: LoadedModel, options: Grid, wanted: GridSearch | None) -> None:
    """Makes a grid by some rows, keeps it, and prints its bound beside that of others."""
    if wanted is None:
        kind = one(loaded.model)
        raise ValueError(f"--mode=grid is for a diffusion; this experiment has {kind}.")
    workdir = loaded.folder
    if "://" in str(workdir):
        raise ValueError(f"A grid is kept on this machine; copy {workdir} to it first.")
    finest = wanted.finest(loaded.model)  # what does not fit is refused before data are read
    split = "validation" if "validation" in loaded.data.splits else "train"
    rows = loaded.data.rows(split)[: options.num_texts or ROWS]
    times = wanted(loaded.model, loaded.params, jax.random.key(options.seed), rows)
    of = {"best": AllSteps(spacing=times), "uniform": AllSteps(grid=wanted.steps)}
    figures: dict[str, float] = {}
    kwargs: dict[str, Any] = {"split": split, "number": len(rows), "seed": options.seed}
    best = None
    for name, bound in (of | {"finest": AllSteps(spacing=finest)}).items():
        result, _ = run_report.bits(
            loaded.model, loaded.params, loaded.data, bound=bound, **kwargs
        )
        line = f"{name:8s} {result} bits/{loaded.facts.unit} in {bound.grid} steps"
        if best is None:
            best = result.per_row
        else:
            line += f"; minus best: {means.signed(*result.per_row.minus(best).mean())}"
        print(line, flush=True)
        figures[f"{name}_bits"] = result.bits
    kept = ""
    if parallel.is_first():
        kwargs |= {"fine": len(finest) - 1, **figures}
        path = saved_grids.keep(Path(workdir), times, loaded.step, **kwargs)
        kept = f"; kept: {in_one_line(path)}"
    print(f"on {len(rows)} {split} {loaded.facts.rows}{kept}")
