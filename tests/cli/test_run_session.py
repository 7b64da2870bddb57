"""What a command prints before something that takes long."""

import sys
import types

import pytest

from amd_jax.cli.run_session import Session


@pytest.mark.parametrize("ends_training", [False, True])
@pytest.mark.parametrize("terminal", [False, True])
def test_a_pipe_gets_announcements_of_a_training_alone(
    ends_training, terminal, capsys, monkeypatch
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    session = types.SimpleNamespace(
        events="a file" if ends_training else None
    )  # all that is asked of it
    Session.announce(session, "drawing 4 samples")
    said = "drawing 4 samples\n" if terminal or ends_training else ""
    assert capsys.readouterr().out == said
