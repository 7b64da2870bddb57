"""The command line inside this process: `command(...)` is `python -m experiments.run ...`."""

import contextlib
import io
import pathlib
import sys
from collections.abc import Callable
from typing import NamedTuple

from amd_jax.cli import command_line, run
from tests import costs

ROOT = pathlib.Path(__file__).parents[2]
QUICK = f"--config={ROOT / 'experiments' / 'quickstart.py'}"
OWN = f"--config={ROOT / 'experiments' / 'own_text.py'}"
SMALL = (
    *("--config.network.width=8", "--config.network.join_width=8", "--config.network.blocks=1"),
    *("--config.length=32", "--config.batch_size=2", "--config.timesteps=8"),
    *("--config.num_steps=6", "--config.log_every=1", "--config.checkpoint_every=2"),
    *("--num_texts=4", "--num_samples=2", "--noreport"),
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
    """Runs a command as a process of its own would."""
    given = list(map(str, arguments))
    if not any(argument.startswith("--mode") for argument in given):
        given.append("--noreport")  # pages take seconds; test_report.py is about them
    return ended(run.main, "experiments.run", *given)


def ended(main: Callable[[list[str]], None], *argv: str) -> Result:
    """Runs the main function of any command, as its process would: argv[0] is its name."""
    argv, ending = list(argv), None
    printed = io.TextIOWrapper(io.BytesIO(), "utf-8")
    known, sys.argv = sys.argv, argv  # which the run keeps
    try:
        with contextlib.redirect_stdout(printed), costs.timed("commands"):
            command_line.run(main, argv)
    except SystemExit as stop:
        ending = stop.code
    finally:
        sys.argv = known
    printed.flush()
    return Result(printed.buffer.getvalue().decode(), ending)
