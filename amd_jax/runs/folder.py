"""The folder of a run: which experiment and which data it holds, and where its files are.

config.json (the numbers), facts.json (what the model knows of its data), experiment.py (the file
that built it), run.json (its identity, data, commit and versions), metrics.jsonl and tensorboard/
(the curve), results.json, checkpoints/ (see checkpoints.py), lock (held by the process that
trains). A finished run may be read from anywhere that epath knows, as gs://bucket/run.
"""

import ast
import importlib.metadata
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from etils import epath

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

FORMAT = 1  # of the files here; a program reads its own and older ones
CHECKPOINTS = "checkpoints"  # the folder, with one folder per step in it
CADENCE = {"checkpoint_every", "evaluate_every", "log_every"}  # may change between two runs
PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "ml_collections")
Place = Path | epath.Path  # on this machine, or elsewhere
_HELD: dict[Path, TextIO] = {}  # the locks of this process, which the system takes back at its end


class UnreadableError(ValueError):
    """A text is not what this program writes."""


class Contents(NamedTuple):
    """What a run is of."""

    config: dict[str, Any]
    facts: dict[str, Any]
    source: str  # of the experiment file; empty if there is none
    digests: dict[str, str]  # of its data, by split


def claim(workdir: Path, mine: Contents, *, file: Path | None = None, extend: bool = False) -> str:
    """Makes `workdir` the folder of this run, or checks that it is already; its identity.

    Raises ValueError if the folder cannot be written, is in use by another process, or holds a
    run of another config (the fields that differ are named), another experiment file, or other
    data. `extend` allows more steps than before; `file` is where the source is from. A run that
    has no checkpoint yet has nothing to lose: a mistaken number in it may be corrected.
    """
    hold(workdir)
    if has_checkpoint(workdir):
        _check_same(workdir, mine, extend)
        identity = read_notes(workdir)["run"]
        if extend:
            _write_config(workdir, mine.config)
        return identity
    if (workdir / "metrics.jsonl").exists() and not (workdir / CHECKPOINTS).exists():
        raise ValueError(
            f"{workdir} holds the metrics of a run whose folder {CHECKPOINTS}/ is missing. "
            "Restore it, or give another workdir to start anew."
        )
    identity = secrets.token_hex(8)
    notes = {
        "format": FORMAT,
        "run": identity,
        "file": str(file),
        "command": sys.argv,
        "commit": _commit(file),
        "python": sys.version.split()[0],
        "versions": versions(),
        "digests": mine.digests,
    }
    try:
        write_json(workdir / "run.json", notes)
        write_json(workdir / "facts.json", mine.facts)
        write(workdir / "experiment.py", mine.source.encode())
        # Last, and at once: a folder with a config.json is complete.
        _write_config(workdir, mine.config)
    except OSError as error:
        raise _unwritable(workdir, error) from error
    return identity


def _write_config(workdir: Path, config: dict[str, Any]) -> None:
    write_json(workdir / "config.json", config)


def hold(workdir: str | Path) -> None:
    """Makes `workdir`, and keeps other processes from training in it while this one lives.

    Raises ValueError if it cannot be written, or another process holds it. Where the system or
    the file system has no such locks, nobody is kept out.
    """
    check_local(workdir)
    path = Path(workdir).absolute() / "lock"
    if _holds(path):
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
            "workdir. (Several processes of one run are told of each other when they start.)"
        ) from error
    except OSError:  # this file system has no locks
        pass
    if gone := _HELD.get(path):  # of a folder that was there before
        gone.close()
    _HELD[path] = file


def _holds(lock: Path) -> bool:
    """Whether this process holds the file that is in a place now."""
    try:
        return lock in _HELD and os.path.samestat(os.fstat(_HELD[lock].fileno()), lock.stat())
    except OSError:
        return False


def check_held(workdir: Path) -> None:
    """Raises ValueError if the folder that this process holds is not in its place any more."""
    if not _holds(workdir.absolute() / "lock"):
        raise ValueError(
            f"{workdir} was deleted, moved or replaced while it was trained in, so nothing more "
            "can be saved. Put it back: the same command continues from what is saved."
        )


def check_local(workdir: str | Path) -> None:
    """Raises ValueError for a workdir that is not on this machine."""
    if "://" in str(workdir):
        raise ValueError(
            f"Training writes to a folder of this machine; got {workdir}. Give a local workdir "
            "and copy it when the run is done: a finished run can be read from there."
        )


def at(place: str | Path) -> Place:
    """What a path or an address (gs://...) names; ValueError for an address out of reach."""
    if "://" not in str(place):
        return Path(place)  # for epath whatever is no folder is a file, a pipe too
    try:
        found = epath.Path(place)
        found.exists()  # what an address needs is imported and asked here, and not later
        return found
    except KeyError as error:
        raise ValueError(
            f"Files are read from this machine, or from gs:// or s3://; got {place}. "
            "Copy it to this machine first."
        ) from error
    except Exception as error:  # each kind of storage has its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{place} cannot be reached: {reason[0]}.") from error


def _unwritable(workdir: str | Path, error: OSError) -> ValueError:
    return ValueError(
        f"The workdir must be a folder that can be written; {workdir}: {error.strerror}. "
        "Give another workdir."
    )


def versions() -> dict[str, str]:
    """The versions of the packages that a run depends on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def write(path: Path, content: bytes) -> None:
    """Writes a file that is there whole, or as it was before."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before its name: a machine may lose its power
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Writes JSON, as `write` does."""
    write(path, f"{json.dumps(value, indent=2)}\n".encode())


def has_checkpoint(workdir: str | Path) -> bool:
    """Whether a run has saved something to continue from."""
    return bool(steps(at(workdir) / CHECKPOINTS))


def steps(folder: Place) -> list[int]:
    """The steps that a folder of checkpoints has something of, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if is_step(path.name))


def is_step(name: str) -> bool:
    """Whether a folder of that name is of a step: 16, and not 016 or ²."""
    return name.isdecimal() and name == str(int(name))


def _check_same(workdir: Path, mine: Contents, extend: bool) -> None:
    """Raises ValueError if the run in `workdir` is not of this config, file and data."""

    def refuse(what: str, way_out: str = "Give") -> ValueError:
        return ValueError(f"{workdir} holds a run of {what}. {way_out} another workdir.")

    theirs = contents(workdir)
    before, after = theirs.config["num_steps"], mine.config["num_steps"]
    if extend and after < before:
        raise ValueError(
            f"A run is extended to more steps than it has; {workdir} is of {before}, got "
            f"num_steps={after}."
        )
    if differing := differences(theirs.config, mine.config, but={"num_steps"} if extend else ()):
        longer = after > before and len(differing) == 1
        way_out = "Extend it, or give" if longer else "Give"
        raise refuse(f"another config: {'; '.join(differing)}", way_out)
    if differ(mine.source, theirs.source):
        raise refuse("another version of the experiment file")
    check_data(workdir, theirs, mine)


def check_data(workdir: str | Path, theirs: Contents, mine: Contents) -> None:
    """Raises ValueError, by name, if data are not those that a run was trained on."""
    name = theirs.facts.get("name", "data")
    changed = [split for split in theirs.digests if theirs.digests[split] != mine.digests[split]]
    unknown = {"name", "frequencies"}  # where they are from; and what the content says
    other = {key for key, value in theirs.facts.items() if mine.facts.get(key) != value} - unknown
    if changed or other:
        what = f"{', '.join(changed)} of {name}" if changed else f"{name} ({', '.join(other)})"
        raise ValueError(
            f"{workdir} holds a run of other data: {what} changed since. Give the data that it "
            "was trained on (they may have moved), or another workdir."
        )


def contents(workdir: str | Path) -> Contents:
    """What the run in `workdir` is of; ValueError if there is none, or if it is damaged."""
    notes, folder = read_notes(workdir), at(workdir)
    config = read_json(folder / "config.json", {"num_steps": int})
    facts = read_json(folder / "facts.json", {"kind": str})
    return Contents(_tuples(config), facts, _kept(folder / "experiment.py"), notes["digests"])


def read_notes(workdir: str | Path) -> dict[str, Any]:
    """run.json of the run in `workdir`; ValueError if there is none that this program reads."""
    folder = at(workdir)
    if not (folder / "config.json").exists() and not has_checkpoint(workdir):
        raise ValueError(f"There is no run in {workdir}. Train one first.")
    notes = read_json(folder / "run.json", {"format": int, "run": str, "digests": dict})
    if notes["format"] > FORMAT:
        raise ValueError(
            f"{workdir} was written by a newer version of amd_jax (format {notes['format']}; this "
            f"one reads {FORMAT} and older). Install that version."
        )
    return notes


def read_json(path: Place, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The object in a file of a run, with fields of some kinds; ValueError if it is damaged."""
    try:
        return parsed(_kept(path), kinds)
    except UnreadableError as error:
        raise _damaged(path, str(error)) from error


def parsed(text: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The object that a text of JSON holds; UnreadableError unless its fields are of the kinds."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from error
    if not isinstance(found, dict):
        raise UnreadableError(f"it holds no object, but {type(found).__name__}")
    for name, kind in kinds.items():
        if not isinstance(found.get(name), kind):
            kind = getattr(kind, "__name__", kind)
            raise UnreadableError(f"its {name} must be of the kind {kind}")
    return found


def _kept(path: Place) -> str:
    """The text of a file of a run; ValueError if it is gone, or is no text."""
    if not path.is_file():
        raise ValueError(
            f"{path} belongs to the run, but is gone. Restore it, or give another workdir."
        )
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Place, reason: str) -> ValueError:
    return ValueError(
        f"{path} must be as the run wrote it; it is damaged: {reason}. "
        "Restore it, or give another workdir."
    )


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "", but: Any = ()
) -> list[str]:
    """One "name: old, now new" for every number that differs, cadences and places apart.

    Places are numbers whose name ends in "path": data are known by their content.
    """
    lines = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{prefix}{name}.", but)
        elif before != after and prefix + name not in {*CADENCE, *but} and not is_place(name):
            lines.append(f"{prefix}{name} was {before!r}, now {after!r}")
    return lines


def is_place(name: str) -> bool:
    """Whether a number of a config says where data are."""
    return name.rpartition(".")[2].endswith("path")


def differ(one: str, other: str) -> bool:
    """Whether two Python files say different things, comments and layout apart."""
    try:
        return ast.dump(ast.parse(one)) != ast.dump(ast.parse(other))
    except (SyntaxError, ValueError):
        return one != other


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples they were."""
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _commit(file: Path | None) -> str:
    """The git commit of a file's checkout, marked if it has changes; or "none"."""
    here = (file or Path(__file__)).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"
