"""What the library logs: one line on stderr, safe for a terminal."""

import logging
import sys

import pytest

from amd_jax.host import log


@pytest.fixture
def root():
    """A root that shows what reaches it, as libraries set up by a first `logging.warning`."""
    handler = logging.StreamHandler()
    logging.root.addHandler(handler)
    yield handler
    logging.root.removeHandler(handler)


def test_a_warning_is_one_line_that_can_be_shown(capsys, root):
    root.setStream(sys.stderr)
    with log.on_console(), log.on_console():
        log.logger.warning("a\x1b[2J\nb: %s", "c")
    assert capsys.readouterr().err == "a␛[2J⏎b: c\n"


def test_outside_of_commands_the_program_decides(monkeypatch, caplog):
    monkeypatch.setattr(log.logger, "handlers", [])
    monkeypatch.setattr(log.logger, "propagate", True)
    log.logger.warning("a\nb")
    assert caplog.messages == ["a⏎b"]
