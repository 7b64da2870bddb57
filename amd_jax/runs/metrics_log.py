"""The curves of a run: metrics.jsonl, and the same for TensorBoard.

They are worth less than the run: a line that cannot be written, as on a full disk, is lost and
reported once, and training goes on.
"""

import errno
import json
import math
import os
from pathlib import Path
from typing import BinaryIO

from amd_jax.facts import Json
from amd_jax.host import filesystem
from amd_jax.runs import run_files
from amd_jax.runs.event_file import EventFile, attempt

LIMIT = 1 << 30  # bytes of metrics
NAME = "metrics.jsonl"


class Curves:
    """The files of a workdir, cut back to a step, open for what follows it."""

    def __init__(self, workdir: Path, start: int):
        """Lines beyond step `start` are dropped, since those steps are taken again."""
        self._warned: set[str] = set()
        self._file, self.last = _continued(workdir / NAME, start)
        self._board = EventFile(workdir)
        self._board.start(start + 1)

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Adds the metrics of a step; what is not finite is null, as JSON knows no NaN."""
        finite = {k: v if math.isfinite(v) else None for k, v in metrics.items()}
        with attempt(NAME, self._warned):
            self._append(f"{json.dumps({'step': step, **finite})}\n".encode())
        self._board.scalars(step, metrics)

    def sync(self) -> None:
        """Brings the lines to the disk."""
        with attempt(NAME, self._warned):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes both files."""
        self._file.close()
        self._board.close()

    def _append(self, line: bytes) -> None:
        """A whole line, or none of it."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._file.truncate(end)
            raise


def read(workdir: run_files.AnyPath) -> tuple[list[Json], int]:
    """The lines of metrics of a run that are whole, in order, and how many there are that are not.

    A line is cut off where a process was killed, or writes it just now. Without a file there are
    none.
    """
    lines = list(map(_read, _lines(workdir / NAME)))
    whole = [line for line in lines if line]
    return whole, len(lines) - len(whole)


def _continued(path: Path, start: int) -> tuple[BinaryIO, Json]:
    """The file of metrics, cut back to `start`, open for appending; and its last training line."""
    lines = _lines(path)
    read = [_read(line) for line in lines]
    kept = [i for i, result in enumerate(read) if 0 < result.get("step", 0) <= start]
    if len(kept) != len(lines):
        filesystem.write(path, b"".join(lines[i] for i in kept))
    trained = [read[i] for i in kept if "elapsed_seconds" in read[i]]
    return filesystem.append(path), trained[-1] if trained else {}


def _lines(path: run_files.AnyPath) -> list[bytes]:
    """The lines of a file, none if it is missing; ValueError for what is no file, or too large."""
    try:
        return run_files.content(path, LIMIT).splitlines(keepends=True) if path.exists() else []
    except OSError as error:
        raise run_files.damaged(path, error.strerror or str(error)) from error


def _read(line: bytes) -> Json:
    """A line of metrics; {} for a damaged one, such as half a line after a kill."""
    try:
        result = json.loads(line) if line.endswith(b"\n") else {}
        return result if isinstance(result, dict) and isinstance(result.get("step"), int) else {}
    except (ValueError, RecursionError):
        return {}
