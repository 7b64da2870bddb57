"""A model at the command line, and what is asked of it."""

import dataclasses
import sys
from pathlib import Path

from PIL import Image

from amd_jax.cli.choices import Choice
from amd_jax.devices import parallel
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.reports.plain_report import PlainReport
from amd_jax.experiment import LoadedModel
from amd_jax.runs import results
from amd_jax.runs.event_file import EventFile


@dataclasses.dataclass(frozen=True)
class Session:
    """A loaded model, and what is chosen of what it declares."""

    loaded: LoadedModel
    choice: Choice
    seed: int
    output: str | None = None  # the folder for what is made; None: that of the run
    events: EventFile | None = None  # at the end of a training, for TensorBoard

    @property
    def report(self) -> PlainReport:
        """The report for this kind of data."""
        return run_report.of(self.loaded.facts)

    @property
    def folder(self) -> str | Path:
        """Where what is made goes."""
        return self.output or self.loaded.folder

    def stem(self, what: str) -> Path | None:
        """Where files of a kind go, but for their endings; None for what is not to write any."""
        return Path(self.folder) / f"{what}_seed{self.seed}" if writes(self.folder) else None

    def announce(self, line: str) -> None:
        """Prints what is done next: at the end of a training, and on a terminal.

        A file or a pipe gets nothing but results of other modes.
        """
        if self.events is not None or sys.stdout.isatty():
            print(line, flush=True)

    def record(self, *figures: Measurement) -> None:
        """Adds figures to the results of the run, if this process is to write them.

        Those that are no differences are curves of TensorBoard, too.
        """
        folder = self.loaded.folder
        if writes(folder):
            Path(folder).mkdir(parents=True, exist_ok=True)  # weights have none
            step, seed = self.loaded.step, self.seed
            asked = (dataclasses.replace(f, step=step, seed=seed) for f in figures)
            results.add(Path(folder), *asked)
        if self.events is not None:
            alone = [figure for figure in figures if figure.to is None]
            values = {curve(f): f.value for f in alone if f.value is not None}
            self.events.scalars(self.loaded.step, values)

    def show(self, name: str, shown: str | Image.Image) -> None:
        """Adds a text or a picture to what TensorBoard sees."""
        if self.events is not None:
            self.events.show(self.loaded.step, name, shown)


def curve(figure: Measurement) -> str:
    """What TensorBoard calls a figure: test_elbo_bits_per_char, test_restored."""
    of = figure.bound if figure.what == "bits" else figure.what
    order = None if figure.order is None else str(figure.order)
    unit = figure.unit and f"bits_per_{figure.unit}"
    return "_".join(filter(None, [figure.split, of, order, unit]))


def writes(folder: Path | str) -> bool:
    """Whether this process writes into a folder: the first one does, and not from afar."""
    return parallel.is_first() and "://" not in str(folder)
