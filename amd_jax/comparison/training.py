"""Trains the rows of a comparison: for so many steps, or for as long as is given."""

import dataclasses
from pathlib import Path

from amd_jax.comparison.rows import Row
from amd_jax.experiment import Run, open_run
from amd_jax.learning import callbacks, loop
from amd_jax.runs import run_files, run_folder

TIMED = 10  # steps that tell how many fit


def trained(row: Row, workdir: Path, minutes: float, steps: int | None) -> Row:
    """A row, trained for `steps`, or for as many as fit into `minutes`; or as it was left.

    Raises ValueError if the folder holds a run of other numbers or of other data.
    """
    run = row.run
    if run_folder.has_checkpoint(workdir):
        kept = run_folder.contents(workdir)
        differing = run_folder.differences(kept.config, run.config.to_dict(), but={"num_steps"})
        if steps not in (None, kept.config["num_steps"]):
            differing.append(f"num_steps was {kept.config['num_steps']}, now {steps}")
        if differing:
            raise ValueError(
                f"{workdir} holds a row of another config: {'; '.join(differing)}. "
                "Give another --workdir."
            )
        run_folder.check_data(workdir, kept, run.contents())
        number = kept.config["num_steps"]
        if run_folder.steps(run_files.at(workdir) / run_folder.CHECKPOINTS)[-1] == number:
            own = open_run(workdir)
            run = dataclasses.replace(own, step=number, held=run.held)
            return dataclasses.replace(row, run=run)
    else:
        number = steps or steps_that_fit(run, minutes)
    config = run.config.copy_and_resolve_references()
    config.num_steps = number
    print(f"\n{row.title}: {number} steps", flush=True)
    run = run.experiment.at(config, run.data)  # its optimiser knows the number of steps
    run, _ = run.fit(workdir)
    return dataclasses.replace(row, run=run)


def steps_that_fit(run: Run, minutes: float) -> int:
    """The number of training steps in the given time, at the speed of a short run."""
    short = run.config.copy_and_resolve_references()
    short.update(dict(num_steps=2 * TIMED, log_every=TIMED))
    keeper = Speed()
    loop.train(run.parts, run.data, short, keeper)
    return max(1, round(60 * minutes * keeper.speed))  # the last: the first steps are slower


class Speed(callbacks.Nobody):
    """Keeps nothing of a run but how fast it is."""

    speed = 0.0  # steps per second

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Notes the speed of the last steps."""
        self.speed = metrics["steps_per_second"]
