"""The library's logger, and how commands show what it logs."""

import contextlib
import logging
import sys
from collections.abc import Iterator

from tqdm import tqdm

from amd_jax.host.printable import in_one_line

logger = logging.getLogger("amd_jax")


def _one_line(record: logging.LogRecord) -> bool:
    """Makes a message safe for a terminal, whatever file names are in it."""
    record.msg, record.args = in_one_line(record.getMessage()), ()
    return True


logger.addFilter(_one_line)


class _Console(logging.Handler):
    """Writes messages to stderr without breaking a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        tqdm.write(record.getMessage(), file=sys.stderr)


@contextlib.contextmanager
def on_console() -> Iterator[None]:
    """Shows what is logged on stderr; within another such context that one does."""
    if any(isinstance(handler, _Console) for handler in logger.handlers):
        yield
        return
    console, before = _Console(), logger.propagate
    logger.addHandler(console)
    logger.propagate = False  # or a handler that some library gives the root shows it again
    try:
        yield
    finally:
        logger.removeHandler(console)
        logger.propagate = before
