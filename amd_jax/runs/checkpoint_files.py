"""One checkpoint on disk: whether it is sound, and its content."""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import orbax.checkpoint as ocp

from amd_jax.host import memory
from amd_jax.host.log import logger
from amd_jax.runs import manifest, run_folder, tensorstore_leak
from amd_jax.runs.run_files import AnyPath
from amd_jax.types import PyTree

tensorstore_leak.mend()
PATTERNS = "[]*?\\:"
SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))  # as which Python has other bytes


def records(folder: AnyPath, run: str) -> tuple[dict[int, dict], dict[int, str]]:
    """The records of a run's checkpoints, by step; and what is wrong with those of others.

    Their files are not looked at: see `is_sound`.
    """
    result, damaged = {}, {}
    for step in run_folder.steps(folder):
        try:
            record = manifest.read(folder / str(step))
        except (ValueError, OSError) as error:
            if (folder / str(step)).exists():  # else a training has just deleted it
                damaged[step] = str(error)
            continue
        if record.get("run") == run:
            result[step] = record
        else:
            damaged[step] = "it belongs to another run"
    return result, damaged


def is_sound(folder: AnyPath, step: int, record: dict, damaged: dict[int, str]) -> bool:
    """Whether the files of a checkpoint are as written; else `damaged` gets the reason."""
    try:
        manifest.check_files(folder / str(step), record)
    except (ValueError, OSError) as error:
        if (folder / str(step)).exists():  # else a training has just deleted it
            damaged[step] = str(error)
        return False
    return True


def inspected(folder: AnyPath, run: str) -> tuple[dict[int, dict], dict[int, str]]:
    """The records of a run's sound checkpoints, by step; and what is wrong with the others."""
    known, damaged = records(folder, run)
    sound = {s: record for s, record in known.items() if is_sound(folder, s, record, damaged)}
    return sound, dict(sorted(damaged.items()))


def restored(step: Path, note: dict, templates: dict[str, PyTree]) -> list[PyTree]:
    """Items of a checkpoint of that record, each in the structure of its template, or without one.

    Raises ValueError for what does not fit, or is not what was saved.
    """
    _warn_of_versions(step.name, note["versions"])
    return [_item(step, name, note, template) for name, template in templates.items()]


def _warn_of_versions(step: str, theirs: dict[str, str]) -> None:
    """Says which other versions a checkpoint was written by, if any."""
    mine = run_folder.versions()
    if others := {k: v for k, v in theirs.items() if mine.get(k) != v}:
        now = ", ".join(f"{name} {mine.get(name)}" for name in others)
        then = ", ".join(f"{name} {version}" for name, version in others.items())
        logger.warning(f"checkpoint {step} was written by {then}; here is {now}")


def _item(step: Path, name: str, note: dict, template: PyTree) -> PyTree:
    """One item of a checkpoint."""
    files = [file for file in (step / name).rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)  # compressed: they take no less
    memory.check(size, f"{name} of checkpoint {step.name}", "Use a machine with more.")
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=alone())
    with ocp.Checkpointer(handler, multiprocessing_options=alone()) as reader:
        try:
            place = literal(step.parent) / step.name / name
            tree = reader.restore(place, args=ocp.args.StandardRestore(template))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{step} must be of this version of the model: {brief(error)}. "
                "Give another workdir."
            ) from error
    manifest.check_arrays(tree, note["arrays"][name])
    return tree


def literal(folder: Path) -> Path:
    """A path of the folder without what Orbax or tensorstore take for a pattern, or a bucket.

    Nor with bytes that are no UTF-8, which they cannot read.
    """
    if not any(sign in PATTERNS or sign in SURROGATES for sign in str(folder)):
        return folder
    return Path(_link(folder).name) / "checkpoints"


@functools.cache
def _link(folder: Path) -> tempfile.TemporaryDirectory:
    """A place, until the process ends, that holds a link to the folder."""
    place = tempfile.TemporaryDirectory(prefix="amd_jax_")
    (Path(place.name) / "checkpoints").symlink_to(folder)
    return place


@contextlib.contextmanager
def local(folder: AnyPath, note: dict) -> Iterator[Path]:
    """The folder itself, or a copy of it on this machine while one looks at it."""
    if "://" not in str(folder):
        yield Path(folder).absolute()  # as Orbax asks
        return
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / folder.name
        for name in note["files"]:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((folder / name).read_bytes())
        yield copy


def alone() -> ocp.options.MultiprocessingOptions:
    """Orbax's option for reading and writing by this process only."""
    own = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process {own}"
    )


def brief(error: BaseException) -> str:
    """The first line of an error, without a full stop; of a long one of tensorstore the reason."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    line = lines[0].split(" [os_error_code")[0].rstrip(".")
    return line if len(line) < 120 else line.split(": ")[-1]
