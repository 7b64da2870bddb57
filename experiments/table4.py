"""The paper's comparison on segmentation maps: six rows trained for equal time, one table.

    python -m experiments.table4 --minutes=20
    python -m experiments.table4 --minutes=20 --data=my_maps/

Each row is `experiments/table4_row.py` with another --config.row, in a folder of its own under
--workdir. First some steps of it are timed, which fixes how many fit. The same command again
continues: finished rows are kept, and one that was interrupted goes on from its checkpoint. Writes
table4.md and table4.png, with samples of every row beside test maps. Hoogeboom et al., 2021,
sec. 5.
"""

import argparse
import ast
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import jax
import numpy as np
from ml_collections import ConfigDict

from amd_jax.evaluation import gallery, likelihood, pictures
from amd_jax.models import Diffusion
from amd_jax.training import allocator, checkpoints, loop
from amd_jax.training import workdir as workdirs
from experiments import command_line

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


def main(argv: list[str] | None = None) -> None:
    """Trains what is not finished yet; writes table and picture."""
    flags = parser().parse_args(argv)
    allocator.keep_pages()  # before JAX makes its threads
    found = {}
    for row in flags.rows:
        found[row] = finished(row, flags) or train(row, flags)
        table = markdown(found, flags)
        workdirs.write(flags.workdir / "table4.md", table.encode())
    print("\n" + table)
    data = workdirs.load_experiment(flags.workdir / flags.rows[0])[0].data
    panels = {"test maps": np.asarray(data.rows("test")[:MAPS])}
    for row in flags.rows:
        panels[ROWS[row][0]] = np.load(flags.workdir / row / "samples.npy")
    path = flags.workdir / "table4.png"
    pictures.write_panels(panels, data.palette, path, columns=1)
    print(f"table: {flags.workdir / 'table4.md'}\npicture: {path}")


def parser() -> argparse.ArgumentParser:
    """The flags."""
    flags = argparse.ArgumentParser(
        prog="python -m experiments.table4", description=__doc__.split("\n")[0]
    )
    flags.add_argument(
        "--data", default="streets", help="streets (embedded), cityscapes, or maps of your own"
    )
    flags.add_argument("--minutes", type=positive(float), default=20.0, help="training per row")
    flags.add_argument("--workdir", type=Path, default=Path("runs/table4"))
    flags.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    flags.add_argument(
        "--importance_samples", type=positive(int), default=50, help="k of the IWBO"
    )
    flags.add_argument("--num_maps", type=positive(int), help="of the test split; default: all")
    flags.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="numbers of table4_row.py"
    )
    return flags


def positive(kind: type) -> Callable[[str], float]:
    """A reader of numbers above 0."""

    def read(text: str) -> float:
        number = kind(text)
        if number <= 0:
            raise ValueError
        return number

    read.__name__ = f"{kind.__name__} above 0"
    return read


def train(row: str, flags: argparse.Namespace) -> dict:
    """Trains or continues a row, evaluates it and draws samples; its figures, kept on disk."""
    workdir, title = flags.workdir / row, ROWS[row][0]
    module = workdirs.load_module(SOURCE)
    config = numbers(module.get_config(), row, flags)
    summary = module.build(config).data.summary()
    if workdirs.has_checkpoint(workdir):
        config.num_steps = workdirs.read_config(workdir)["num_steps"]
    else:
        config.num_steps = steps_that_fit(module, config, flags.minutes)
    print(f"\n{title}: {config.num_steps} steps in {flags.minutes:g} min", flush=True)
    workdirs.claim(workdir, config, SOURCE, summary)
    loop.train(module.build(config), config, workdir)
    experiment, params = checkpoints.load_run(workdir)
    model, data = experiment.model, experiment.data
    rows, rng = data.rows("test")[: flags.num_maps], jax.random.key(0)
    drawn = gallery.samples(model, params, rng, (MAPS, *data.event_shape))
    array = io.BytesIO()
    np.save(array, drawn)
    workdirs.write(workdir / "samples.npy", array.getvalue())
    elbo = likelihood.elbo(model, params, rng, rows, data.num_classes)
    figures = {"steps": config.num_steps, "minutes": minutes(workdir), "elbo": elbo, "iwbo": None}
    if not isinstance(model, Diffusion):  # whose every draw would walk all steps
        figures["iwbo"] = likelihood.iwbo(
            model, params, rng, rows, data.num_classes, flags.importance_samples
        )
    workdirs.write(workdir / "row.json", json.dumps(figures).encode())
    return finished(row, flags)


def finished(row: str, flags: argparse.Namespace) -> dict | None:
    """The figures of a row that is done; ValueError if it was done from other numbers."""
    workdir = flags.workdir / row
    if not (workdir / "row.json").is_file() or not (workdir / "samples.npy").is_file():
        return None
    kept = workdirs.read_config(workdir)
    config = numbers(workdirs.load_module(SOURCE).get_config(), row, flags)
    config.num_steps = kept["num_steps"]
    differing = workdirs.differences(kept, config.to_dict())
    if differing:
        raise ValueError(
            f"{workdir} holds a row of another config: {'; '.join(differing)}. "
            "Give another --workdir."
        )
    return json.loads((workdir / "row.json").read_text())


def numbers(config: ConfigDict, row: str, flags: argparse.Namespace) -> ConfigDict:
    """The numbers of a row, with --data and --set."""
    config.update(dict(row=row, data=flags.data))
    for setting in flags.set:
        name, _, value = setting.partition("=")
        try:
            config.update_from_flattened_dict({name: ast.literal_eval(value)})
        except (KeyError, TypeError, ValueError, SyntaxError) as error:
            reason = " ".join(map(str, error.args))
            raise ValueError(
                f"--set needs a number of {SOURCE.name}, as in batch_size=4; got {setting}: "
                f"{reason.splitlines()[0]}"
            ) from error
    return config


def steps_that_fit(module: ModuleType, config: ConfigDict, minutes: float) -> int:
    """The number of training steps in the given time, at the speed of a short run."""
    short = config.copy_and_resolve_references()
    short.update(dict(num_steps=2 * TIMED, log_every=TIMED))
    with tempfile.TemporaryDirectory() as folder:
        loop.train(module.build(short), short, Path(folder))
        _, last = logged(Path(folder))  # the first steps are slower
    return max(1, round(60 * minutes * last["steps_per_second"]))


def logged(workdir: Path) -> list[dict]:
    """The lines on training that a run has logged."""
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if "steps_per_second" in line]


def minutes(workdir: Path) -> float:
    """How long a run has trained, all its sittings together."""
    lines = logged(workdir)
    pairs = zip(lines, [0] + [line["step"] for line in lines], strict=False)
    return sum((a["step"] - b) / a["steps_per_second"] for a, b in pairs) / 60


def markdown(found: dict[str, dict], flags: argparse.Namespace) -> str:
    """The table, in bits per pixel."""
    k = flags.importance_samples
    lines = [
        f"Bits per pixel on the test maps of {flags.data}, ± one standard error; in brackets the "
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
    command_line.run(main)
