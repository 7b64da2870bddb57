"""Checkpoints of a run, by Orbax, and the way back from a workdir to a sampler."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from amd_jax.training import workdir as workdirs
from amd_jax.training.experiment import Experiment
from amd_jax.training.step import TrainState
from amd_jax.types import Params


class Checkpoints:
    """The newest checkpoints of a run, each with the items `ema` and `state`.

    Saving is asynchronous and takes host copies first, since the next step donates its buffers.
    """

    def __init__(self, workdir: str | Path, keep: int = 2):
        """Opens (or makes) the folder of checkpoints in `workdir`."""
        folder = Path(workdir).absolute() / workdirs.CHECKPOINTS
        options = ocp.CheckpointManagerOptions(max_to_keep=keep)
        self._manager = ocp.CheckpointManager(folder, options=options)

    def __enter__(self) -> "Checkpoints":
        """Itself."""
        return self

    def __exit__(self, *_: Any) -> None:
        """Waits for saves under way."""
        self._manager.close()

    def latest(self) -> int | None:
        """The step of the newest checkpoint, None if there is none."""
        return self._manager.latest_step()

    def save(self, state: TrainState) -> None:
        """Stores a state (one device's copy) under its step; a no-op if that step is stored."""
        state = jax.device_get(state)
        items = ocp.args.Composite(
            ema=ocp.args.StandardSave(state.ema),
            state=ocp.args.StandardSave(state._replace(ema=())._asdict()),
        )
        if int(state.step) != self.latest():
            self._manager.save(int(state.step), args=items)

    def restore(self, template: TrainState) -> TrainState:
        """The newest state, as host arrays in the structure of `template`."""
        host = jax.tree.map(lambda a: jax.numpy.zeros(a.shape, a.dtype), template)
        host = jax.device_get(host)
        items = self._restore(
            ema=ocp.args.StandardRestore(host.ema),
            state=ocp.args.StandardRestore(host._replace(ema=())._asdict()),
        )
        return TrainState(**items["state"])._replace(ema=items["ema"])

    def restore_ema(self) -> Params:
        """The newest averaged parameters, as host arrays."""
        return self._restore(ema=ocp.args.StandardRestore())["ema"]

    def _restore(self, **items: Any) -> ocp.args.Composite:
        """Items of the newest checkpoint; ValueError if it is damaged or of another model."""
        step = self.latest()
        try:
            return self._manager.restore(step, args=ocp.args.Composite(**items))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self._manager.directory / str(step)} is damaged, or of another version of the "
                f"model: {str(error).strip().splitlines()[0]} Delete it to go on from the "
                "checkpoint before it, or give another --workdir."
            ) from error


def load_run(workdir: str | Path) -> tuple[Experiment, Params]:
    """The experiment of a trained run and its averaged parameters, ready for `model.sample`.

    Raises ValueError if `workdir` holds no run, or a run without a checkpoint.
    """
    experiment, _ = workdirs.load_experiment(workdir)
    if not workdirs.has_checkpoint(workdir):  # asked first: the manager would make the folder
        raise ValueError(f"{workdir} holds no checkpoint yet. Train first, with --mode=train.")
    with Checkpoints(workdir) as checkpoints:
        return experiment, jax.tree.map(jax.numpy.asarray, checkpoints.restore_ema())
