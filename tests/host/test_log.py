"""What the library logs: one line on stderr, safe for a terminal."""

import logging
import sys

from amd_jax.host import log


def test_a_warning_is_one_line_that_can_be_shown(capsys, monkeypatch):
    """Even where a library has given the root logger a handler, as a first `logging.warning`."""
    monkeypatch.setattr(logging.root, "handlers", [logging.StreamHandler(sys.stderr)])
    monkeypatch.setattr(log.logger, "handlers", [])
    monkeypatch.setattr(log.logger, "propagate", True)
    with log.on_console(), log.on_console():
        log.logger.warning("a\x1b[2J\nb: %s", "c")
    assert capsys.readouterr().err == "a␛[2J⏎b: c\n"


def test_outside_of_commands_the_program_decides(monkeypatch, caplog):
    monkeypatch.setattr(log.logger, "handlers", [])
    monkeypatch.setattr(log.logger, "propagate", True)
    log.logger.warning("a\nb")
    assert caplog.messages == ["a⏎b"]
