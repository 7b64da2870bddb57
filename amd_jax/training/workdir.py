"""The folder of a run: which experiment it holds, and where its files are.

config.json (the numbers), experiment.py (the file that built it), run.json (commit and versions),
metrics.jsonl and tensorboard/ (the curve), checkpoints/ (see checkpoints.py), lock (held by the
process that trains). A finished run may be read from anywhere that epath knows, as gs://bucket/run.
"""

import ast
import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from etils import epath
from ml_collections import ConfigDict

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

from amd_jax.training.experiment import Experiment

CHECKPOINTS = "checkpoints"  # the folder, with one folder per step in it
CADENCE = {"checkpoint_every", "evaluate_every", "log_every"}  # may change between two runs
PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "ml_collections")
_HELD: dict[Path, TextIO] = {}  # the locks of this process, which the system takes back at its end


def load_module(path: str | Path) -> ModuleType:
    """The experiment file at `path`, imported.

    Raises ValueError if it is missing, is not Python, does not define `get_config` and `build`, or
    imports what is not there.
    """
    path = epath.Path(path)
    if not path.is_file() or path.suffix != ".py":
        found = "nothing" if not path.exists() else "a folder" if path.is_dir() else "no .py"
        raise ValueError(
            f"--config must name an experiment file; found {found} at {path}. "
            "Try --config=experiments/quickstart.py."
        )
    try:
        code = path.read_text()
        tree = ast.parse(code, path.name)
    except (SyntaxError, ValueError) as error:  # ValueError: not even text
        raise ValueError(f"{path} must be Python: {error}. Correct it.") from error
    named = {getattr(node, "name", None) for node in ast.walk(tree)}
    missing = [name for name in ("get_config", "build") if name not in named]
    if missing:
        raise ValueError(
            f"An experiment file defines get_config() and build(config); {path} lacks "
            f"{' and '.join(missing)}. See experiments/quickstart.py."
        )
    module = ModuleType(f"experiment_{path.stem}")
    module.__file__ = str(path)
    try:
        exec(compile(code, str(path), "exec"), module.__dict__)
    except ImportError as error:
        raise ValueError(f"{path} cannot be imported: {error}. Correct its imports.") from error
    return module


def claim(workdir: Path, config: ConfigDict, source: Path, data: str) -> None:
    """Makes `workdir` the folder of this experiment, or checks that it is already.

    Writes config, experiment file, git commit, versions and `data`, a summary of the data. Raises
    ValueError if the folder cannot be written, is in use by another process, or holds a run of
    another config (the fields that differ are named), another version of the experiment file, or
    other data. A run that has no checkpoint yet has nothing to lose: a mistaken number in it may
    be corrected.
    """
    hold(workdir)
    if has_checkpoint(workdir):
        _check_same(workdir, config, source, data)
        return
    record = {
        "command": sys.argv,
        "commit": _commit(source),
        "python": sys.version.split()[0],
        "versions": versions(),
        "data": data,
    }
    try:
        (workdir / "run.json").write_text(json.dumps(record, indent=2) + "\n")
        shutil.copyfile(source, workdir / "experiment.py")
        # Last, and at once: a folder with a config.json is complete.
        write(workdir / "config.json", f"{json.dumps(config.to_dict(), indent=2)}\n".encode())
    except OSError as error:
        raise _unwritable(workdir, error) from error


def hold(workdir: str | Path) -> None:
    """Makes `workdir`, and keeps other processes from training in it while this one lives.

    Raises ValueError if it cannot be written, or another process holds it. Where the system or
    the file system has no such locks, nobody is kept out.
    """
    if "://" in str(workdir):
        raise ValueError(
            f"Training writes to a folder of this machine; got {workdir}. Give a local --workdir "
            "and copy it when the run is done: a finished run can be read from there."
        )
    path = Path(workdir).absolute() / "lock"
    if path in _HELD and path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise _unwritable(workdir, error) from error
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ValueError(
            f"{workdir} is in use by another run that is alive. Wait for it, or give another "
            "--workdir. (Several processes of one run need --coordinator, --num_processes and "
            "--process_id.)"
        ) from error
    except OSError:  # this file system has no locks
        pass
    _HELD[path] = file


def _unwritable(workdir: str | Path, error: OSError) -> ValueError:
    return ValueError(
        f"The workdir must be a folder that can be written; {workdir}: {error.strerror}. "
        "Give another --workdir."
    )


def versions() -> dict[str, str]:
    """The versions of the packages that a run depends on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def write(path: Path, content: bytes) -> None:
    """Writes a file that is there whole, or as it was before."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)


def has_checkpoint(workdir: str | Path) -> bool:
    """Whether a run has saved something to continue from."""
    return bool(steps(epath.Path(workdir) / CHECKPOINTS))


def steps(folder: epath.Path) -> list[int]:
    """The steps that a folder of checkpoints has something of, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def _check_same(workdir: Path, config: ConfigDict, source: Path, data: str) -> None:
    """Raises ValueError if the run in `workdir` is not of this config, file and data."""

    def refuse(what: str) -> ValueError:
        return ValueError(f"{workdir} holds a run of {what}. Give another --workdir.")

    differing = differences(read_config(workdir), config.to_dict())
    if differing:
        raise refuse(f"another config: {'; '.join(differing)}")
    mine, theirs = source.read_text(), _kept(workdir / "experiment.py")
    if ast.dump(ast.parse(mine)) != ast.dump(ast.parse(theirs)):
        raise refuse(f"another version of {source}")
    before = _read_json(workdir / "run.json").get("data", "")
    if before != data:
        lines = zip(before.splitlines(), data.splitlines(), strict=False)
        was, now = next((pair for pair in lines if pair[0] != pair[1]), (before, data))
        raise refuse(f"other data (was {was!r}, now {now!r})")


def read_config(workdir: str | Path) -> dict[str, Any]:
    """The numbers of the run in `workdir`; ValueError if there is none."""
    workdir = epath.Path(workdir)
    if not (workdir / "config.json").exists() and not has_checkpoint(workdir):
        raise ValueError(
            f"There is no run in {workdir}. Train one first: "
            "python -m experiments.run --config=… --workdir=…"
        )
    return _tuples(_read_json(workdir / "config.json"))


def _read_json(path: epath.Path) -> dict[str, Any]:
    """The object in a file of a run; ValueError if the file is damaged."""
    text = _kept(path)
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:  # TypeError: other JSON than an object
        raise ValueError(
            f"{path} must be as the run wrote it; it is damaged: {error}. "
            "Restore it, or give another --workdir."
        ) from error


def _kept(path: epath.Path) -> str:
    """The text of a file of a run; ValueError if it is gone."""
    if not path.is_file():
        raise ValueError(
            f"{path} belongs to the run, but is gone. Restore it, or give another --workdir."
        )
    return path.read_text()


def load_experiment(workdir: str | Path) -> tuple[Experiment, ConfigDict]:
    """The experiment of the run in `workdir`, built anew from its own copy of the file."""
    numbers, file = read_config(workdir), epath.Path(workdir) / "experiment.py"
    _kept(file)
    module = load_module(file)
    config = module.get_config()
    try:
        config.update(numbers)
    except TypeError as error:
        raise ValueError(
            f"{workdir}/config.json must fit {file}: {error}. "
            "Restore it, or give another --workdir."
        ) from error
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
