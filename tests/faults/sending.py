"""How a fault is sent: the command line in this process, or as a process of its own.

Both work in a folder that holds `experiments/`, as a checkout does, and so name the experiment and
the run by relative paths, with the workdir that they have by default.
"""

import pathlib
import subprocess

from tests.cli.command import ROOT, SMALL, command, ended
from tests.runs.process import cache, python

__all__ = ["QUICK", "RUN", "SMALL", "command", "ended", "experiments", "finished", "start"]

QUICK = "--config=experiments/quickstart.py"
RUN = pathlib.Path("runs/quickstart")
COMPILED = ROOT / ".pytest_cache" / "compiled"


def experiments(folder: pathlib.Path) -> pathlib.Path:
    """The folder, once it has the experiments."""
    (folder / "experiments").symlink_to(ROOT / "experiments")
    return folder


def start(*arguments: str, cwd: pathlib.Path, devices: int = 2, **environment):
    """A process with the command line: `python -m experiments.run ...` in a folder."""
    known = {"PYTHONPATH": str(ROOT), **cache(COMPILED)} | environment
    return python("experiments.run", *arguments, cwd=cwd, devices=devices, **known)


def finished(running: subprocess.Popen, seconds: float = 120) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of a process that ends by itself; a hang fails."""
    try:
        out, error = running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.communicate()
        raise AssertionError(f"it hangs: no end in {seconds} s") from None
    return running.returncode, out, error
