import logging

import pytest

from amd_jax.cli import command_line


@pytest.mark.parametrize(
    ("message", "told"),
    [("Task exception was never retrieved", False), ("Executing took 9 seconds", True)],
)
def test_a_write_that_has_failed_is_told_once(message, told, caplog):
    """By what waits for it; asyncio would tell of it, too, with a traceback."""
    command_line.run(lambda: logging.getLogger("asyncio").error(message))
    assert (message in caplog.text) is told
