"""The paper's comparison on segmentation maps: six rows trained for equal time, one table.

    python -m experiments.table4 --minutes=20
    python -m experiments.table4 --minutes=20 --config.data.path=my_maps/

Each row is `experiments/table4_row.py` with another --config.row, in a folder of its own under
--workdir; its numbers are overridden as there. First some steps of it are timed, which fixes how
many fit. The same command again continues: finished rows are kept, and one that was interrupted
goes on from its checkpoint. Writes table4.md and table4.png, with samples of every row beside test
maps. Hoogeboom et al., 2021, sec. 5.
"""

import io
import json
import sys
from pathlib import Path

import jax
import numpy as np

from amd_jax import experiment as experiments
from amd_jax.evaluation import gallery, likelihood, pictures, report
from amd_jax.experiment import Experiment, Run
from amd_jax.learning import allocator, loop
from amd_jax.models.bounds import ImportanceWeighted
from amd_jax.runs import documents
from amd_jax.runs import folder as folders

from . import command_line, flags
from .flags import Asked, Flag

SOURCE = Path(__file__).with_name("table4_row.py")
ROWS = {  # row of table4_row.py -> title, ELBO and IWBO in the paper, bits per pixel
    "uniform": ("Round / uniform", "1.010", "0.930"),
    "variational": ("Round / variational", "0.334", "0.315"),
    "softplus": ("Argmax / softplus threshold", "0.303", "0.290"),
    "gumbel": ("Argmax / Gumbel distribution", "0.365", "0.341"),
    "gumbel_threshold": ("Argmax / Gumbel threshold", "0.307", "0.287"),
    "diffusion": ("Multinomial diffusion", "0.305", "–"),
}
TIMED = 10  # steps that tell how many fit
MAPS = 8  # samples of each row in the picture


FLAGS = (
    Flag("workdir", "runs/table4", "Folder of all rows."),
    Flag("minutes", 20.0, "Training per row.", least=0),
    Flag("rows", ",".join(ROWS), "Rows to train, with commas."),
    Flag("importance_samples", 50, "Draws of the importance-weighted bound.", least=1),
    Flag("num_texts", None, "Take this many test maps; all.", kind=int, least=1),
)


def main(argv: list[str]) -> None:
    """Trains what is not finished yet; writes table and picture."""
    asked = flags.read(argv[1:], FLAGS)
    experiment = Experiment.open(SOURCE)
    asked, config = flags.override(asked, experiment.config())
    flags.finish(asked, FLAGS)
    flags.absolute_places(config)
    workdir, rows = Path(asked.workdir), asked.rows.split(",")
    if unknown := [row for row in rows if row not in ROWS]:
        raise ValueError(f"--rows are of {', '.join(ROWS)}; got {', '.join(unknown)}.")
    allocator.keep_pages()  # before JAX makes its threads
    data, found = experiment.open_data(config), {}
    for row in rows:
        numbers = config.copy_and_resolve_references()
        numbers.row = row
        run = experiment.at(numbers, data)
        found[row] = finished(run, workdir / row) or train(run, workdir / row, asked)
        table = markdown(found, asked, data.facts.name)
        documents.write(workdir / "table4.md", table.encode())
    print("\n" + table)
    panels = {"test maps": np.asarray(data.rows("test")[:MAPS])}
    for row in rows:
        panels[ROWS[row][0]] = np.load(workdir / row / "samples.npy")
    path = workdir / "table4.png"
    palette = pictures.Palette.of(data.facts.colours)
    pictures.write_panels(panels, palette, path, columns=1)
    print(f"table: {workdir / 'table4.md'}\npicture: {path}")


def train(run: Run, workdir: Path, asked: Asked) -> dict:
    """Trains or continues a row, evaluates it and draws samples; its figures, kept on disk."""
    config, title = run.config, ROWS[run.config.row][0]
    if folders.has_checkpoint(workdir):
        config.num_steps = folders.contents(workdir).config["num_steps"]
    else:
        config.num_steps = steps_that_fit(run, asked.minutes)
    print(f"\n{title}: {config.num_steps} steps in {asked.minutes:g} min", flush=True)
    run = run.experiment.at(config, run.data)  # its optimiser knows the number of steps
    run, params = experiments.train(run, workdir)
    shape, rng = (MAPS, *run.facts.event_shape), jax.random.key(0)
    array = io.BytesIO()
    np.save(array, gallery.samples(run.model, params, rng, shape))
    documents.write(workdir / "samples.npy", array.getvalue())
    elbo, _ = report.bits(run.model, params, run.data, split="test", number=asked.num_texts)
    figures = {"steps": config.num_steps, "minutes": minutes(workdir), "elbo": elbo, "iwbo": None}
    if config.row != "diffusion":  # whose every draw would walk all steps
        bound = ImportanceWeighted(asked.importance_samples)
        figures["iwbo"], _ = report.bits(
            *(run.model, params, run.data), split="test", number=asked.num_texts, bound=bound
        )
    documents.write_json(workdir / "row.json", figures)
    return finished(run, workdir)


def finished(run: Run, workdir: Path) -> dict | None:
    """The figures of a row that is done; ValueError if it was done from other numbers."""
    if not (workdir / "row.json").is_file() or not (workdir / "samples.npy").is_file():
        return None
    kept = folders.contents(workdir).config
    differing = folders.differences(kept, run.config.to_dict(), but={"num_steps"})
    if differing:
        raise ValueError(
            f"{workdir} holds a row of another config: {'; '.join(differing)}. "
            "Give another --workdir."
        )
    return documents.read_json(workdir / "row.json", {"steps": int})


def steps_that_fit(run: Run, minutes: float) -> int:
    """The number of training steps in the given time, at the speed of a short run."""
    short = run.config.copy_and_resolve_references()
    short.update(dict(num_steps=2 * TIMED, log_every=TIMED))
    keeper = Speed()
    loop.train(run.parts, run.data, short, keeper)
    return max(1, round(60 * minutes * keeper.speed))  # the last: the first steps are slower


class Speed(loop.Nobody):
    """Keeps nothing of a run but how fast it is."""

    speed = 0.0  # steps per second

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Notes the speed of the last steps."""
        self.speed = metrics["steps_per_second"]


def minutes(workdir: Path) -> float:
    """How long a run has trained, all its sittings together."""
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return max(line.get("elapsed_seconds", 0.0) for line in lines) / 60


def markdown(found: dict[str, dict], asked: Asked, name: str) -> str:
    """The table, in bits per pixel."""
    k = asked.importance_samples
    lines = [
        f"Bits per pixel on the test maps of {name}, ± one standard error; in brackets the "
        "paper's on Cityscapes.",
        "",
        f"| model | ELBO | IWBO (k = {k}; paper 1000) | steps | minutes |",
        "|---|---|---|---|---|",
    ]
    for row, figures in found.items():
        title, elbo, iwbo = ROWS[row]
        cells = [title, f"{bits(figures['elbo'])} ({elbo})", f"{bits(figures['iwbo'])} ({iwbo})"]
        cells += [str(figures["steps"]), f"{figures['minutes']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def bits(estimate: list | None) -> str:
    """Such as "0.557 ± 0.004"; a dash for nothing."""
    return "–" if estimate is None else str(likelihood.Estimate(*estimate))


if __name__ == "__main__":
    command_line.run(main, sys.argv)
