"""Work in processes of its own: each is told what to run, and watched while it runs."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

ROOT = pathlib.Path(__file__).parents[1]
PATIENCE = 1800.0  # seconds for one piece of work, of which the first compiles
FAREWELL = 20.0  # seconds for a process to end by itself


class Failure(Exception):
    """A benchmark cannot go on: why, in one line."""


@dataclasses.dataclass
class Worker:
    """A process that holds one side, and runs a piece of work when told to."""

    process: subprocess.Popen
    title: str
    complaints: IO[bytes]  # its standard error
    patience: float

    @classmethod
    def start(
        cls,
        module: str,
        keep: bool,
        size: str,
        reference: str = "",
        patience: float = PATIENCE,
        **environment: str,
    ) -> "Worker":
        """The process of one side, set up for a size and waiting; `keep` keeps freed memory."""
        complaints = tempfile.TemporaryFile()
        process = subprocess.Popen(
            [sys.executable, "-m", module, size, str(int(keep)), reference],
            cwd=ROOT,
            env={**os.environ, "JAX_TRACEBACK_FILTERING": "off", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        return cls(process, f"{module} {size}".strip(), complaints, patience)

    def run(self, work: str) -> dict[str, Any]:
        """What one piece of work took; Failure if the process hangs or ends."""
        began = time.monotonic()
        alarm = threading.Timer(self.patience, self.process.kill)
        alarm.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(work + "\n")
                self.process.stdin.flush()
            for line in self.process.stdout:  # the reference prints its progress
                if line.startswith("{"):
                    return json.loads(line)
        finally:
            alarm.cancel()
        self.process.wait()
        if time.monotonic() - began >= self.patience:
            raise Failure(f"{self.title}: no answer in {self.patience:.0f} s, stopped")
        raise Failure(f"{self.title}: {self._last_words()}")

    def stop(self) -> None:
        """Ends the process, if need be by force."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.complaints.close()

    def _last_words(self) -> str:
        """How the process ended, and the exception that ended it, if it told one."""
        code = self.process.returncode
        ending = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        self.complaints.seek(0)
        lines = self.complaints.read().decode(errors="replace").splitlines()
        told = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(: |$)", line)]
        return ": ".join([ending, *told[-1:]])


@contextlib.contextmanager
def stopping(workers: dict[str, Worker]) -> Iterator[dict[str, Worker]]:
    """The workers, all of which are stopped at the end."""
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.stop()


def ask(module: str, *arguments: Any, **environment: str) -> dict[str, Any]:
    """The one answer of a process that needs no telling; arguments as `Worker.start`."""
    with stopping({"it": Worker.start(module, *arguments, **environment)}) as workers:
        return workers["it"].run("")
