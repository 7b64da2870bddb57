"""Turns JAX's crash on a lost process into one line on stderr.

JAX ends it from C++, with a stack trace that nobody can catch. So what C++ writes to stderr goes
through a second program, this file, which outlives the process and knows its end.
"""

import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from typing import BinaryIO

LOST = (
    "another process of this run has failed, died or fallen silent, so this one stops: {}. "
    "Start all of them again: the same command continues from what is saved."
)
BROKEN = re.compile(
    rb"[EF]\d{4} .* (coordination_service\w*|client)\.(cc|h):\d+\] |W.* preemption_"
)
TRACE = re.compile(rb"\*\*\* |    @ ")


@functools.cache  # which keeps it, too
def narrate() -> subprocess.Popen[bytes]:
    """From now on, what C++ writes to stderr goes through `retell`, in a program of its own.

    Python's own stderr stays as it is.
    """
    if sys.__stderr__ is not None and sys.stderr is sys.__stderr__:  # not in a notebook
        python = os.fdopen(os.dup(2), "w", 1, sys.stderr.encoding, "backslashreplace")
        sys.stderr = sys.__stderr__ = python  # type: ignore[misc]  # final in typeshed alone
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE,
        stdout=2,
        start_new_session=True,
    )
    assert child.stdin is not None  # a pipe
    os.dup2(child.stdin.fileno(), 2)
    child.stdin.close()
    return child


def say(line: str) -> None:
    """Writes a process's last line to stderr; nothing that C++ says after it is shown."""
    sys.stderr.flush()
    os.write(2, f"error: {line}\n".encode())


def retell(lines: Iterable[bytes], out: BinaryIO) -> None:
    """Passes on the lines, except JAX's on a run that is broken; in their place one at the end.

    None is put there if the process has already given its reason, by `say`.
    """
    reported = quiet = False
    broken = b""
    for line in lines:
        if line.startswith(b"error: "):
            reported, quiet = True, False
        elif BROKEN.match(line) or (broken and TRACE.match(line)):
            quiet = True
        if quiet:
            broken += line
        else:
            _write(out, line)
    if broken and not reported:
        _write(
            out,
            b"error: " + LOST.format(_status(broken.decode(errors="replace"))).encode() + b"\n",
        )


def _status(text: str) -> str:
    """The first sentence of the status in what JAX has said: "UNAVAILABLE: it is gone"."""
    status = text.rpartition("absl::Status: ")[2].partition("\n\n")[0]
    return " ".join(re.split(r"\.\s|\n\*\*\*", status)[0].split())


def _write(out: BinaryIO, line: bytes) -> None:
    """Writes a line where somebody may still read."""
    with contextlib.suppress(OSError):
        out.write(line)
        out.flush()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends when the process has ended
    retell(sys.stdin.buffer, sys.stdout.buffer)
