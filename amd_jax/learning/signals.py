"""Handles signals to stop: between two steps, in all processes of a run alike."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from amd_jax.devices import parallel


@contextmanager
def heard() -> Iterator[Callable[[], bool]]:
    """A function that tells, once a step, whether to stop: if a signal to do so has arrived.

    SIGINT, SIGTERM, or as a terminal is closed SIGHUP, unless that is ignored (nohup). All
    processes report it at the same step, one after the signal. A second signal acts as usual. Only
    the main thread hears of signals.
    """
    received: list[int] = []
    previous: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def note(number: int, frame: object) -> None:
        received.append(number)
        os.write(2, b"\nStopping after this step; a second signal stops at once.\n")
        for number, handler in previous.items():
            signal.signal(number, handler)

    main = threading.current_thread() is threading.main_thread()
    stops = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        stops.append(signal.SIGHUP)
    for number in stops if main else ():
        previous[number] = signal.signal(number, note)
    try:
        yield parallel.agreement(lambda: bool(received))
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
