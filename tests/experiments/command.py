"""The command line inside this process: `command(...)` is `python -m experiments.run ...`."""

import contextlib
import io
import pathlib
import runpy
import sys
from typing import NamedTuple

import absl.logging  # noqa: F401  its flags would else go with the first command
from absl import flags

from experiments import overrides

ROOT = pathlib.Path(__file__).parents[2]
RUN = ROOT / "experiments" / "run.py"
QUICK = f"--config={ROOT / 'experiments' / 'quickstart.py'}"
OWN = f"--config={ROOT / 'experiments' / 'own_text.py'}"
SMALL = (
    *("--config.network.width=8", "--config.network.join_width=8", "--config.network.blocks=1"),
    *("--config.length=32", "--config.batch_size=2", "--config.timesteps=8"),
    *("--config.num_steps=6", "--config.log_every=1", "--config.checkpoint_every=2"),
    *("--num_texts=4", "--num_samples=2"),
)


class Result(NamedTuple):
    """What a command printed, and the status or message it ended with."""

    out: str
    ending: int | str | None

    @property
    def error(self) -> str:
        """The line on stderr; fails unless the command ended with one."""
        assert isinstance(self.ending, str), (self.ending, self.out)
        assert len(self.ending.strip().splitlines()) == 1, self.ending
        return self.ending.strip().removeprefix("error: ")


def command(*arguments: str) -> Result:
    """Runs a command with flags of its own, defined anew."""
    before, argv, ending = set(flags.FLAGS), ["experiments.run", *map(str, arguments)], None
    printed = io.TextIOWrapper(io.BytesIO(), "utf-8")
    known, sys.argv = sys.argv, argv  # ml_collections reads it as well
    try:
        with contextlib.redirect_stdout(printed):
            module = runpy.run_path(str(RUN), run_name="experiments.run")
            module["run"](overrides.parse(argv))
    except SystemExit as stop:
        ending = stop.code
    finally:
        sys.argv = known
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)
    printed.flush()
    return Result(printed.buffer.getvalue().decode(), ending)
