"""Writes a trace of some training steps, for Perfetto."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from amd_jax.devices import parallel
from amd_jax.host import filesystem

STEPS = 5  # in a trace, which begins after as many


@contextmanager
def traced(folder: Path, start: int) -> Iterator[Callable[[int], None]]:
    """A function to call before each step, which writes a profile of some; the first process's."""
    running = False

    def stop():
        nonlocal running
        if running:
            jax.profiler.stop_trace()
        running = False

    def at(step: int) -> None:
        nonlocal running
        if step == start + STEPS + 1 and parallel.is_first():
            jax.profiler.start_trace(folder, create_perfetto_trace=True)
            running = True
        if step == start + 2 * STEPS + 1:
            stop()

    try:
        folder.mkdir(parents=True, exist_ok=True)
        filesystem.write(folder / "writable", b"")
        (folder / "writable").unlink()
    except OSError as error:
        raise ValueError(
            f"A profile is written to {folder}, which is not possible: {error.strerror}. Do "
            "without, or give another workdir."
        ) from error
    try:
        yield at
    finally:
        stop()
