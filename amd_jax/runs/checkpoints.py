"""Checkpoints of a run, by Orbax."""

import math
import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from amd_jax.devices import parallel
from amd_jax.host.log import logger
from amd_jax.runs import checkpoint_files, manifest, run_files, run_folder
from amd_jax.runs.run_files import AnyPath
from amd_jax.types import Params, PyTree

FAILURES = (OSError, ValueError)  # of a disk; tensorstore has ValueError for all of them
DAMAGED = "checkpoints.damaged"  # where training sets aside what it cannot use


class Checkpoints:
    """The newest checkpoints of a run and the best one, each with the items `ema` and `state`.

    A state is any NamedTuple of arrays with the fields `step` and `ema`.

    A save writes in a thread of its own, from host copies, since the next step donates its
    buffers. Every file and array has a checksum (see record.py); a checkpoint that is not as it
    was written is set aside, with a message, and the one before it serves. Only the first process
    of a run reads and writes.
    """

    def __init__(self, workdir: str | Path, run: str, keep: int = 2):
        """Opens (or makes) the folder of checkpoints of a run, with `keep` newest ones."""
        self._folder = Path(workdir).absolute() / run_folder.CHECKPOINTS
        self._run, self._keep = run, keep
        self._thread = ThreadPoolExecutor(1)
        self._saving: Future | None = None
        if parallel.is_first():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._set_damaged_aside()
            self._manager = self._open()

    def _set_damaged_aside(self) -> None:
        """Moves what must not be used out of the way; ValueError if nothing would be left."""
        sound, result = checkpoint_files.inspected(self._folder, self._run)
        whole = [step for step in result if (self._folder / str(step) / manifest.NAME).exists()]
        if whole and not sound:
            raise ValueError(
                f"No checkpoint in {self._folder} is sound: in {whole[-1]}, {result[whole[-1]]}. "
                "Restore it, or give another workdir to start anew."
            )
        for step, reason in result.items():
            logger.warning(f"checkpoint {step} is not used: {reason}. It is now in {DAMAGED}/")
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
            multiprocessing_options=checkpoint_files.alone(),
        )
        return ocp.CheckpointManager(checkpoint_files.literal(self._folder), options=options)

    def __enter__(self) -> "Checkpoints":
        """Itself."""
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        """Waits for the save under way; OSError if it fails, unless something else has failed."""
        failure = self._finish()
        self._thread.shutdown()
        if failure and kind is None:
            raise OSError(
                f"The last checkpoint could not be saved: {checkpoint_files.brief(failure)}. The "
                f"newest that is there is of step {self._manager.latest_step()}. Free what is "
                "needed; the same command goes on from it."
            ) from failure

    def latest(self) -> int | None:
        """The step of the newest checkpoint, None if there is none."""
        self._finish()
        return self._manager.latest_step()

    def save(self, state: PyTree, bits: float | None = None) -> None:
        """Stores a state (one device's copy) under its step, unless that step is stored.

        `bits` are the score by which the best is known; NaN is none. Returns while files are
        being written. A save that fails, as on a full disk, is reported on stderr; what was saved
        before stays.
        """
        if not parallel.is_first() or int(state.step) == self.latest():
            return
        bits = None if bits is None or math.isnan(bits) else bits
        state = jax.tree.map(np.array, state)  # copies, where np.asarray may give views
        self._saving = self._thread.submit(self._write, int(state.step), state, bits)

    def _write(self, step: int, state: PyTree, bits: float | None) -> None:
        """Writes a checkpoint, and then its record; removes it if either fails."""
        items = {"ema": state.ema, "state": state._replace(ema=())._asdict()}
        arrays = {name: manifest.digests(tree) for name, tree in items.items()}
        metrics = {} if bits is None else {"metrics": {"bits": bits}}
        notes = {"format": run_folder.FORMAT, "run": self._run, "versions": run_folder.versions()}
        notes["bits"] = bits
        try:
            _check_space(self._folder, items)
            args = {name: ocp.args.StandardSave(tree) for name, tree in items.items()}
            self._manager.save(step, args=ocp.args.Composite(**args), **metrics)
            written = {"arrays": arrays, "versions": run_folder.versions()}
            # With a template, since without one Orbax has tensorstore describe every array by
            # Spec.to_json, which leaks: 5 kB an array and save (tensorstore 0.1.75 to 0.1.86).
            checkpoint_files.restored(self._folder / str(step), written, items)
            manifest.seal(self._folder / str(step), arrays, notes)
        except FAILURES as error:
            _remove(self._folder, step)
            self._manager = self._open()
            logger.warning(
                f"checkpoint {step} could not be saved: {checkpoint_files.brief(error)}. The run "
                "goes on"
            )
            raise

    def _finish(self) -> Exception | None:
        """Waits for the save under way; its failure, which was reported, if it failed."""
        saving, self._saving = self._saving, None
        try:
            if saving is not None:
                saving.result()
        except FAILURES as error:
            return error
        return None

    def restore(self, template: PyTree) -> PyTree:
        """The newest state, as host arrays in the structure of `template`; None if there is none.

        Raises ValueError if it does not fit, as that of another version of the model.
        """
        latest = self.latest()
        if latest is None:
            return None
        host = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), template)
        step = self._folder / str(latest)
        note = manifest.read(step)
        templates = {"ema": host.ema, "state": host._replace(ema=())._asdict()}
        ema, state = checkpoint_files.restored(step, note, templates)
        return type(template)(**state)._replace(ema=ema)


def parameters(workdir: str | Path, run: str, *, best: bool = False) -> tuple[int, Params]:
    """The step and the averaged parameters of a run's newest sound checkpoint, or of its best.

    They are host arrays. The best is that of the least bits on the validation split. One that a
    training deletes while it is read is passed over. Raises ValueError if there is none.
    """
    folder = run_files.at(workdir) / run_folder.CHECKPOINTS
    while True:
        step, record_ = _chosen(workdir, folder, run, best)
        try:
            with checkpoint_files.local(folder / str(step), record_) as local:
                (params,) = checkpoint_files.restored(local, record_, {"ema": None})
            return step, params
        except (ValueError, OSError):
            if (
                step in checkpoint_files.inspected(folder, run)[0]
            ):  # it is there still, and does not fit
                raise


def _chosen(workdir: str | Path, folder: AnyPath, run: str, best: bool) -> tuple[int, dict]:
    """The step and the record of the newest sound checkpoint, or of the best.

    Of the others no files are read.
    """
    records, damaged = checkpoint_files.records(folder, run)
    steps = sorted(records, reverse=True)
    if best:
        evaluated = [step for step in steps if records[step]["bits"] is not None]
        steps = sorted(evaluated, key=lambda step: records[step]["bits"])
    sound = (s for s in steps if checkpoint_files.is_sound(folder, s, records[s], damaged))
    step = next(sound, None)
    for other, reason in sorted(damaged.items()):
        logger.warning(f"checkpoint {other} of {workdir} is not used: {reason}")
    if step is None:
        kind = "sound checkpoint" if damaged else "checkpoint"
        kind += " of a step that was evaluated" if best else ""
        raise ValueError(f"{workdir} holds no {kind} yet. Train first.")
    return step, records[step]


def _check_space(folder: Path, tree: PyTree) -> None:
    """OSError if a tree does not fit on the disk: Orbax would say so in many lines."""
    needed = sum(leaf.nbytes for leaf in jax.tree.leaves(tree)) + (1 << 20)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"it takes {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free")


def _remove(folder: Path, step: int) -> None:
    """Removes what a failed save left, until nothing comes for a second (at most ten).

    The first failure is reported while other writers of Orbax and tensorstore go on, which make
    their folders anew.
    """
    start = quiet = time.monotonic()
    while (now := time.monotonic()) < min(quiet + 1, start + 10):
        for remains in folder.glob(f"{step}*"):
            if remains.name.partition(".")[0] == str(step):
                shutil.rmtree(remains, ignore_errors=True)
                quiet = now
        time.sleep(0.01)


def _set_aside(folder: Path) -> None:
    """Moves a checkpoint out of the way."""
    target = folder.parents[1] / DAMAGED / folder.name
    if target.parent.is_symlink():  # what it leads to is not the run's
        target.parent.unlink()
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    folder.rename(target)
