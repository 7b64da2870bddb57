"""A run at the command line: with its parameters, and what is asked of it."""

import dataclasses
from pathlib import Path
from typing import Any

from amd_jax.cli.choices import Choice
from amd_jax.cli.flags import Args
from amd_jax.devices import parallel
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import run_report
from amd_jax.experiment import Run
from amd_jax.runs import results
from amd_jax.types import Params


@dataclasses.dataclass(frozen=True)
class Session:
    """A run, its parameters, and what is asked of it."""

    run: Run
    params: Params
    args: Args
    choice: Choice

    @property
    def report(self) -> Any:
        """The report for this kind of data."""
        return run_report.of(self.run.facts)

    def stem(self, what: str) -> Path | None:
        """Where files of a kind go, but for their endings; None for what is not to write any."""
        folder = self.args.output or self.run.folder
        return Path(folder) / f"{what}_seed{self.args.seed}" if writes(folder) else None

    def record(self, *figures: Measurement) -> None:
        """Adds figures to the results of the run, if this process is to write them."""
        workdir = self.run.folder
        if writes(workdir):
            Path(workdir).mkdir(parents=True, exist_ok=True)  # weights have none
            on = {"step": self.run.step, "seed": self.args.seed}
            results.add(Path(workdir), *(dataclasses.replace(f, **on) for f in figures))


def writes(folder: Path | str) -> bool:
    """Whether this process writes into a folder: the first one does, and not from afar."""
    return parallel.is_first() and "://" not in str(folder)
