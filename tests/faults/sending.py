"""How a fault is sent: the command line in this process, or as a process of its own.

Both work in a folder that holds `experiments/`, as a checkout does, and so name the experiment and
the run by relative paths, with the workdir that they have by default.
"""

import os
import pathlib
import signal
import subprocess
import sys

from tests.experiments.command import ROOT, SMALL, command
from tests.runs.process import cache

__all__ = ["QUICK", "RUN", "SMALL", "command", "experiments", "finished", "start"]

QUICK = "--config=experiments/quickstart.py"
RUN = pathlib.Path("runs/quickstart")
COMPILED = ROOT / ".pytest_cache" / "compiled"


def experiments(folder: pathlib.Path) -> pathlib.Path:
    """The folder, once it has the experiments."""
    (folder / "experiments").symlink_to(ROOT / "experiments")
    return folder


def start(*arguments: str, cwd: pathlib.Path, devices: int = 2, **environment):
    """A process with the command line: `python -m experiments.run ...` in a folder.

    Its own session, so that a signal to it, or a terminal, is not this one's.
    """
    known = {"JAX_NUM_CPU_DEVICES": str(devices), "PYTHONPATH": str(ROOT), **cache(COMPILED)}
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.run", *arguments],
        cwd=cwd,
        env=os.environ | known | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heedful,
    )


def heedful() -> None:
    """Heeds a closed terminal, also where the tests were started with nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def finished(running: subprocess.Popen, seconds: float = 120) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of a process that ends by itself; a hang fails."""
    try:
        out, error = running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.communicate()
        raise AssertionError(f"it hangs: no end in {seconds} s") from None
    return running.returncode, out, error
