"""The folder of a run: which experiment and data it holds, and where its files are.

config.json (the numbers), facts.json (what the model knows of its data), experiment.py (the file
that built it), run.json (its identity, data, commit, versions and machine), metrics.jsonl and
tensorboard/ (the curve), results.json, grids.json, checkpoints/ (see checkpoints.py), lock (held
by the process that trains). A finished run may be read from anywhere that epath knows, as gs://bucket/run.
"""

import ast
import datetime
import importlib.metadata
import secrets
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from amd_jax.devices import jax_settings, machine
from amd_jax.facts import Json, tuples
from amd_jax.host import filesystem
from amd_jax.runs import lock, run_files
from amd_jax.runs.run_files import AnyPath

FORMAT = 1  # of the files here; a program reads its own and older ones
CHECKPOINTS = "checkpoints"  # the folder, with one folder per step in it
MAY_CHANGE = {"checkpoint_every", "evaluate_every", "log_every"}  # from one session to the next
MAY_CHANGE |= {"shards"}  # as devices may
PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "ml_collections")


class NotExtended(ValueError):
    """A run was to have more steps than it has, and nothing else was to differ."""


class Contents(NamedTuple):
    """What a run is of."""

    config: Json
    facts: Json
    source: str  # of the experiment file; empty if there is none
    digests: dict[str, str]  # of its data, by split
    settings: Json  # of JAX, that its numbers depend on; an old run knows none


def claim(workdir: Path, mine: Contents, *, file: Path | None = None, extend: bool = False) -> str:
    """Makes `workdir` the folder of this run, or checks that it is already; its identity.

    Raises ValueError if the folder cannot be written, is in use by another process, or holds a
    run of another config (the fields that differ are named; NotExtended if it just has fewer
    steps), another experiment file, or other data. `extend` allows more steps than before; `file`
    is where the source is from. A run that has no checkpoint yet has nothing to lose: a mistaken
    number in it may be corrected.
    """
    lock.hold(workdir)
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
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "processor": machine.processor(),
        "commit": _commit(file),
        "python": sys.version.split()[0],
        "versions": versions(),
        "digests": mine.digests,
        "settings": mine.settings,
    }
    try:
        run_files.write_json(workdir / "run.json", notes)
        run_files.write_json(workdir / "facts.json", mine.facts)
        filesystem.write(workdir / "experiment.py", mine.source.encode())
        # Last, and at once: a folder with a config.json is complete.
        _write_config(workdir, mine.config)
    except OSError as error:
        raise lock.unwritable(workdir, error) from error
    return identity


def _write_config(workdir: Path, config: Json) -> None:
    run_files.write_json(workdir / "config.json", config)


def versions() -> dict[str, str]:
    """The versions of the packages that a run depends on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def has_checkpoint(workdir: str | Path) -> bool:
    """Whether a run has saved something to continue from."""
    return bool(steps(run_files.at(workdir) / CHECKPOINTS))


def steps(folder: AnyPath) -> list[int]:
    """The steps that a folder of checkpoints has something of, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if is_step(path.name))


def is_step(name: str) -> bool:
    """Whether a folder of that name is of a step: 16, and not 016 or ²."""
    return name.isdecimal() and name == str(int(name))


def _check_same(workdir: Path, mine: Contents, extend: bool) -> None:
    """Raises ValueError if the run in `workdir` is not of this config, file and data."""

    def refuse(what: str, way_out: str = "Give another workdir") -> str:
        return f"{workdir} holds a run of {what}. {way_out}."

    theirs = contents(workdir)
    before, after = theirs.config["num_steps"], mine.config["num_steps"]
    if extend and after < before:
        raise ValueError(
            f"A run is extended to more steps than it has; {workdir} is of {before}, got "
            f"num_steps={after}."
        )
    if differing := differences(theirs.config, mine.config, but={"num_steps"} if extend else ()):
        what = f"another config: {'; '.join(differing)}"
        if not extend and after > before and len(differing) == 1:
            raise NotExtended(refuse(what, "Give another workdir, or extend it"))
        raise ValueError(refuse(what))
    if differ(mine.source, theirs.source):
        raise ValueError(refuse("another version of the experiment file"))
    if differing := jax_settings.differences(theirs.settings, mine.settings):
        what = f"other settings of JAX: {'; '.join(differing)}"
        raise ValueError(refuse(what, "Set them as they were, or give another workdir"))
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
    notes, folder = read_notes(workdir), run_files.at(workdir)
    config = run_files.read_json(folder / "config.json", {"num_steps": int})
    facts = run_files.read_json(folder / "facts.json", {"kind": str})
    source, kept = run_files.text(folder / "experiment.py"), notes.get("settings") or {}
    return Contents(tuples(config), facts, source, notes["digests"], kept)


def read_notes(workdir: str | Path) -> Json:
    """run.json of the run in `workdir`; ValueError if it is missing, damaged or too new."""
    folder = run_files.at(workdir)
    if not (folder / "config.json").exists() and not has_checkpoint(workdir):
        raise ValueError(f"There is no run in {workdir}. Train one first.")
    kinds = {"format": int, "run": str, "digests": dict, "settings": dict | None}
    notes = run_files.read_json(folder / "run.json", kinds)
    if notes["format"] > FORMAT:
        raise ValueError(
            f"{workdir} was written by a newer version of amd_jax (format {notes['format']}; this "
            f"one reads {FORMAT} and older). Install that version."
        )
    return notes


def differences(old: Json, new: Json, prefix: str = "", but: Collection[str] = ()) -> list[str]:
    """One "name: old, now new" for every number that differs and may not, places apart.

    Places are numbers whose name ends in "path": data are known by their content.
    """
    lines = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += differences(before, after, f"{prefix}{name}.", but)
        elif before != after and prefix + name not in {*MAY_CHANGE, *but} and not is_place(name):
            lines.append(f"{prefix}{name} was {before!r}, now {after!r}")
    return lines


def named(config: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every number of a config by its dotted name."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from named(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def is_place(name: str) -> bool:
    """Whether a number of a config says where data are."""
    return name.rpartition(".")[2].endswith("path")


def differ(one: str, other: str) -> bool:
    """Whether two Python files say different things, comments and layout apart."""
    try:
        return ast.dump(ast.parse(one)) != ast.dump(ast.parse(other))
    except (SyntaxError, ValueError):
        return one != other


def _commit(file: Path | None) -> str:
    """The git commit of a file's checkout, marked if it has changes; or "none"."""
    here = (file or Path(__file__)).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"
