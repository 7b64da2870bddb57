"""TensorBoard's events of a run: scalars, texts and pictures, each at a step.

They are worth less than the run: what cannot be written, as on a full disk, is lost and reported
once. Events are written here and now; a writer with a thread of its own waits for ever once that
thread has died.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from amd_jax.host.log import logger

FLUSH_SECONDS = 10.0  # between two times that a file is brought to the disk
FOLDER = "tensorboard"


class EventFile:
    """A new file of events in a workdir; with a suffix in the place of one that has the same."""

    def __init__(self, workdir: Path, suffix: str = ""):
        """The folder is made if it is missing."""
        self._warned: set[str] = set()
        self._writer, self._flushed = None, time.monotonic()
        with self._attempt():
            folder = workdir.absolute() / FOLDER  # "gs:/..." would be taken for a bucket
            folder.mkdir(exist_ok=True)
            for earlier in folder.glob(f"events.*{suffix}") if suffix else ():
                earlier.unlink()
            self._writer = EventsWriter(str(folder / "events"), suffix)

    def __enter__(self) -> "EventFile":
        """Itself."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Closes it."""
        self.close()

    def start(self, step: int) -> None:
        """Steps from this one on are taken anew: TensorBoard drops what earlier files have."""
        self._write(Event(step=step, session_log=SessionLog(status=SessionLog.START)))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to the curve of each name."""
        for name, value in values.items():
            self._add(step, summary.scalar(name, value))

    def show(self, step: int, name: str, shown: str | Image.Image) -> None:
        """Adds a text, which is read as Markdown, or a picture."""
        if isinstance(shown, str):
            self._add(step, summary.text(name, shown))
        else:
            pixels = np.asarray(shown.convert("RGB"))
            self._add(step, summary.image(name, pixels, dataformats="HWC"))

    def close(self) -> None:
        """Brings everything to the disk."""
        with self._attempt():
            if self._writer is not None:
                self._writer.close()

    def _add(self, step: int, what: Summary) -> None:
        self._write(Event(step=step, wall_time=time.time(), summary=what))

    def _write(self, event: Event) -> None:
        with self._attempt():
            if self._writer is None:
                return
            self._writer.write_event(event)
            if time.monotonic() - self._flushed > FLUSH_SECONDS:
                self._writer.flush()
                self._flushed = time.monotonic()

    def _attempt(self) -> contextlib.AbstractContextManager[None]:
        return attempt(f"{FOLDER}/", self._warned)


@contextlib.contextmanager
def attempt(what: str, warned: set[str]) -> Iterator[None]:
    """Goes on where something cannot be written; a warning says so unless it is among `warned`."""
    try:
        yield
    except OSError as error:
        if what not in warned:
            warned.add(what)
            reason = f"{what} cannot be written: {error.strerror or error}"
            logger.warning(f"{reason}. The run goes on; lines are lost until that is mended")
