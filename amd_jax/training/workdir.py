"""The folder of a run: which experiment it holds, and where its files are.

config.json (the numbers), experiment.py (the file that built it), run.json (commit and versions),
metrics.jsonl and tensorboard/ (the curve), checkpoints/ (see checkpoints.py).
"""

import ast
import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from amd_jax.training.experiment import Experiment

CADENCE = {"checkpoint_every", "evaluate_every", "log_every"}  # may change between two runs
PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "ml_collections")


def load_module(path: str | Path) -> ModuleType:
    """The experiment file at `path`, imported.

    Raises ValueError if it is missing or does not define `get_config` and `build`.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"--config must name an experiment file; there is none at {path}.")
    tree = ast.parse(path.read_text(), str(path))
    named = {getattr(node, "name", None) for node in ast.walk(tree)}
    missing = [name for name in ("get_config", "build") if name not in named]
    if missing:
        raise ValueError(
            f"An experiment file defines get_config() and build(config); {path} lacks "
            f"{' and '.join(missing)}. See experiments/quickstart.py."
        )
    spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def claim(workdir: Path, config: ConfigDict, source: Path, data: str) -> None:
    """Makes `workdir` the folder of this experiment, or checks that it is already.

    Writes config, experiment file, git commit, versions and `data`, a summary of the data. Raises
    ValueError if the folder cannot be written, or holds a run of another config (the fields that
    differ are named), another version of the experiment file, or other data.
    """
    if (workdir / "config.json").exists():
        _check_same(workdir, config, source, data)
        return
    record = {
        "command": sys.argv,
        "commit": _commit(source),
        "python": sys.version.split()[0],
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "data": data,
    }
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        (workdir / "run.json").write_text(json.dumps(record, indent=2) + "\n")
        shutil.copyfile(source, workdir / "experiment.py")
        # Last, and at once: a folder with a config.json is complete.
        draft = workdir / "config.json.draft"
        draft.write_text(json.dumps(config.to_dict(), indent=2) + "\n")
        draft.replace(workdir / "config.json")
    except OSError as error:
        raise ValueError(
            f"The workdir must be a folder that can be written; {workdir}: {error.strerror}. "
            "Give another --workdir."
        ) from error


def _check_same(workdir: Path, config: ConfigDict, source: Path, data: str) -> None:
    """Raises ValueError if the run in `workdir` is not of this config, file and data."""

    def refuse(what: str) -> ValueError:
        return ValueError(f"{workdir} holds a run of {what}. Give another --workdir.")

    differing = differences(read_config(workdir), config.to_dict())
    if differing:
        raise refuse(f"another config: {'; '.join(differing)}")
    mine, theirs = (
        ast.dump(ast.parse(path.read_text())) for path in (source, workdir / "experiment.py")
    )
    if mine != theirs:
        raise refuse(f"another version of {source}")
    before = json.loads((workdir / "run.json").read_text())["data"]
    if before != data:
        raise refuse(f"other data ({before!r}, now {data!r})")


def read_config(workdir: Path) -> dict[str, Any]:
    """The numbers of the run in `workdir`; ValueError if there is none."""
    try:
        text = (Path(workdir) / "config.json").read_text()
    except FileNotFoundError:
        raise ValueError(
            f"There is no run in {workdir}. Train one first: "
            "python -m experiments.run --config=… --workdir=…"
        ) from None
    return _tuples(json.loads(text))


def load_experiment(workdir: str | Path) -> tuple[Experiment, ConfigDict]:
    """The experiment of the run in `workdir`, built anew from its own copy of the file."""
    numbers = read_config(Path(workdir))
    module = load_module(Path(workdir) / "experiment.py")
    config = module.get_config()
    config.update(numbers)
    return module.build(config), config


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """One "name: old, now new" for every number that differs, cadences apart."""
    lines = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += differences(before, after, f"{prefix}{name}.")
        elif before != after and prefix + name not in CADENCE:
            lines.append(f"{prefix}{name} was {before!r}, now {after!r}")
    return lines


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples they were."""
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _commit(source: Path) -> str:
    """The git commit of the experiment file's checkout, marked if it has changes; or "none"."""
    command = ["git", "-C", str(source.resolve().parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"
