"""Checkpoints of a run, by Orbax, and the way back from a workdir to a sampler."""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.checkpoint_managers import preservation_policy
from tqdm import tqdm

from amd_jax import parallel
from amd_jax.training import record
from amd_jax.training import workdir as workdirs
from amd_jax.training.experiment import Experiment
from amd_jax.training.step import TrainState
from amd_jax.types import Params

FAILURES = (OSError, ValueError)  # of a disk; tensorstore has ValueError for all of them
DAMAGED = "checkpoints.damaged"  # where training sets aside what it cannot use


class Checkpoints:
    """The newest checkpoints of a run and the best one, each with the items `ema` and `state`.

    A save writes in a thread of its own, from host copies, since the next step donates its
    buffers. Every file and array has a checksum (see record.py); a checkpoint that is not as it
    was written is set aside, with a message, and the one before it serves. Only the first process
    of a run reads and writes.
    """

    def __init__(self, workdir: str | Path, keep: int = 2):
        """Opens (or makes) the folder of checkpoints in `workdir`, with `keep` newest ones."""
        self._folder = Path(workdir).absolute() / workdirs.CHECKPOINTS
        self._keep = keep
        self._thread = ThreadPoolExecutor(1)
        self._saving: tuple[int, Future] | None = None
        if parallel.is_first():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._set_damaged_aside()
            self._manager = self._open()

    def _set_damaged_aside(self) -> None:
        """Moves what must not be used out of the way; ValueError if nothing would be left."""
        found = damaged(self._folder)
        whole = [step for step in found if (self._folder / str(step) / record.NAME).exists()]
        if whole and len(found) == len(_steps(epath.Path(self._folder))):
            raise ValueError(
                f"No checkpoint in {self._folder} is sound: in {whole[-1]}, {found[whole[-1]]}. "
                "Restore it, or give another --workdir to start anew."
            )
        for step, reason in found.items():
            _say(f"checkpoint {step} is not used: {reason}. It is now in {DAMAGED}/")
            _set_aside(self._folder / str(step))

    def _open(self) -> ocp.CheckpointManager:
        """Orbax's view of the folder."""
        newest = preservation_policy.LatestN(self._keep)
        best = preservation_policy.BestN(
            get_metric_fn=lambda metrics: metrics["bits"],
            reverse=True,  # the smallest comes last, where the best is taken
            n=1,
            keep_checkpoints_without_metrics=False,
        )
        options = ocp.CheckpointManagerOptions(
            create=False,
            cleanup_tmp_directories=True,
            enable_async_checkpointing=False,  # the thread here also writes the record
            save_root_metadata=False,
            preservation_policy=preservation_policy.AnyPreservationPolicy([newest, best]),
            multiprocessing_options=_alone(),
        )
        return ocp.CheckpointManager(self._folder, options=options)

    def __enter__(self) -> "Checkpoints":
        """Itself."""
        return self

    def __exit__(self, kind: type | None, *_: Any) -> None:
        """Waits for the save under way; OSError if it fails, unless something else has failed."""
        self._finish(last=kind is None)
        self._thread.shutdown()

    def latest(self) -> int | None:
        """The step of the newest checkpoint, None if there is none."""
        self._finish()
        return self._manager.latest_step()

    def save(self, state: TrainState, pending: list[dict], bits: float | None = None) -> None:
        """Stores a state (one device's copy) under its step, unless that step is stored.

        `pending` are metrics that wait to be logged, `bits` the score by which the best is known.
        Returns while files are being written. A save that fails, as on a full disk, is told on
        stderr; what was saved before stays.
        """
        if not parallel.is_first() or int(state.step) == self.latest():
            return
        state = jax.tree.map(np.array, state)  # copies, where np.asarray may give views
        step = int(state.step)
        self._saving = step, self._thread.submit(self._write, step, state, pending, bits)

    def _write(self, step: int, state: TrainState, pending: list, bits: float | None) -> None:
        """Writes a checkpoint, and then its record; removes it if either fails."""
        items = {"ema": state.ema, "state": state._replace(ema=())._asdict()}
        arrays = {name: record.digests(tree) for name, tree in items.items()}
        metrics = {} if bits is None else {"metrics": {"bits": bits}}
        notes = {"versions": workdirs.versions(), "pending": pending, "bits": bits}
        try:
            _check_space(self._folder, items)
            args = {name: ocp.args.StandardSave(tree) for name, tree in items.items()}
            self._manager.save(step, args=ocp.args.Composite(**args), **metrics)
            record.seal(self._folder / str(step), arrays, notes)
        except FAILURES as error:
            for remains in self._folder.glob(f"{step}*"):
                if remains.name.partition(".")[0] == str(step):
                    shutil.rmtree(remains, ignore_errors=True)
            self._manager = self._open()
            _say(f"checkpoint {step} could not be saved: {_brief(error)}. The run goes on")
            raise

    def _finish(self, last: bool = False) -> None:
        """Waits for the save under way; OSError if it was the `last` one, and failed."""
        if self._saving is None:
            return
        step, saving = self._saving
        self._saving = None
        try:
            saving.result()
        except FAILURES as error:
            if not last:
                return  # it was told
            raise OSError(
                f"The last checkpoint, of step {step}, could not be saved: {_brief(error)}. The "
                f"newest that is there is {self._manager.latest_step()}. Free what is needed; "
                "the same command goes on from it."
            ) from error

    def restore(self, template: TrainState) -> tuple[TrainState, list[dict]]:
        """The newest state, as host arrays in the structure of `template`, and what was pending.

        Raises ValueError if it does not fit, as that of another version of the model.
        """
        host = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), template)
        step = self._folder / str(self.latest())
        ema, note = _restored(step, "ema", host.ema)
        state, _ = _restored(step, "state", host._replace(ema=())._asdict())
        return TrainState(**state)._replace(ema=ema), note["pending"]


def damaged(folder: Path) -> dict[int, str]:
    """What is wrong with each checkpoint of a folder that must not be used; {} if nothing."""
    found = {}
    for step in _steps(epath.Path(folder)):
        try:
            record.read(epath.Path(folder) / str(step))
        except (ValueError, OSError) as error:
            found[step] = str(error)
    return found


def load_run(workdir: str | Path, *, best: bool = False) -> tuple[Experiment, Params]:
    """The experiment of a trained run and its averaged parameters, ready for `model.sample`.

    Of the newest checkpoint whose files are as they were written, or of the `best`, by the bits
    of the validation split. `workdir` may be remote, as gs://bucket/run. Raises ValueError if
    `workdir` holds no run, or a run without a sound checkpoint.
    """
    experiment, _ = workdirs.load_experiment(workdir)
    folder, records = epath.Path(workdir) / workdirs.CHECKPOINTS, {}
    for step in _steps(folder):
        try:
            records[step] = record.read(folder / str(step))
        except (ValueError, OSError) as error:
            _say(f"checkpoint {step} of {workdir} is not used: {error}")
    if best:
        records = {s: r for s, r in records.items() if r["bits"] is not None}
    if not records:
        kind = "checkpoint" + " of a step that was evaluated" * best
        kind = "sound " * bool(_steps(folder)) + kind
        raise ValueError(f"{workdir} holds no {kind} yet. Train first, with --mode=train.")
    step = min(records, key=lambda s: records[s]["bits"]) if best else max(records)
    with _local(folder / str(step)) as local:
        params, _ = _restored(local, "ema", None)
    return experiment, jax.tree.map(jax.numpy.asarray, params)


def _restored(step: Path, item: str, template: Any) -> tuple[Any, dict]:
    """An item of a checkpoint, in the structure of the template if there is one; its record."""
    note = record.read(epath.Path(step))
    mine = workdirs.versions()
    if others := {k: v for k, v in note["versions"].items() if mine.get(k) != v}:
        now = ", ".join(f"{name} {mine.get(name)}" for name in others)
        then = ", ".join(f"{name} {version}" for name, version in others.items())
        _say(f"checkpoint {step.name} was written by {then}; here is {now}")
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=_alone())
    with ocp.Checkpointer(handler, multiprocessing_options=_alone()) as reader:
        try:
            tree = reader.restore(step / item, args=ocp.args.StandardRestore(template))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{step} must be of this version of the model: {_brief(error)}. "
                "Give another --workdir."
            ) from error
    record.check_arrays(tree, note["arrays"][item])
    return tree, note


def _steps(folder: epath.Path) -> list[int]:
    """The steps that a folder has something of, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


@contextlib.contextmanager
def _local(folder: epath.Path) -> Iterator[Path]:
    """The folder itself, or a copy of it on this machine while one looks at it."""
    if "://" not in str(folder):
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / folder.name
        for name in [record.NAME, *record.read(folder)["files"]]:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((folder / name).read_bytes())
        yield copy


def _check_space(folder: Path, tree: Any) -> None:
    """OSError if a tree does not fit on the disk: Orbax would say so in many lines."""
    needed = sum(leaf.nbytes for leaf in jax.tree.leaves(tree)) + (1 << 20)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"it takes {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free")


def _set_aside(folder: Path) -> None:
    """Moves a checkpoint out of the way."""
    place = folder.parents[1] / DAMAGED / folder.name
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    folder.rename(place)


def _alone() -> ocp.options.MultiprocessingOptions:
    """Orbax's option for reading and writing by this process only."""
    own = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process {own}"
    )


def _brief(error: BaseException) -> str:
    """The first line of an error, without a full stop; of a long one of tensorstore the reason."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    line = lines[0].split(" [os_error_code")[0].rstrip(".")
    return line if len(line) < 120 else line.split(": ")[-1]


def _say(line: str) -> None:
    """Prints a line on stderr without breaking a progress bar."""
    tqdm.write(line, file=sys.stderr)
