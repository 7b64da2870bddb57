import errno
import logging
import os

import pytest

from amd_jax.cli import command_line
from amd_jax.host import filesystem


@pytest.mark.parametrize(
    ("message", "told"),
    [("Task exception was never retrieved", False), ("Executing took 9 seconds", True)],
)
def test_a_write_that_has_failed_is_told_once(message, told, caplog):
    """By what waits for it; asyncio would tell of it, too, with a traceback."""
    command_line.run(lambda: logging.getLogger("asyncio").error(message))
    assert (message in caplog.text) is told


def too_large(path):
    with filesystem.draft(path):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))  # as a write does, without a name


def taken(path):
    path.write_text("")
    path.mkdir(exist_ok=True)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (too_large, "File too large at {}. Raise the limit on the size of files (ulimit -f)"),
        (taken, "File exists at {}. A folder is made there: give another path"),
    ],
)
def test_what_the_system_refuses_has_a_place_and_a_way_out(fault, line, tmp_path):
    path = tmp_path / "x"
    with pytest.raises(SystemExit) as stop:
        command_line.run(fault, path)
    assert str(stop.value).startswith(f"error: {line.format(path)}")
