"""The line that a process leaves which has lost the others."""

import io

import pytest

from amd_jax.devices import stderr_filter

FATAL = b"""\
E1126 20:34:57.762336    7439 coordination_service_agent.cc:289] Polled an error from somewhere.
F1126 20:34:57.762471    7439 client.h:80] Terminating process. absl::Status: UNAVAILABLE: Gone:
1
The tasks have crashed. Check the logs.

RPC: /xla.coordination.CoordinationService/PollForError
*** Check failure stack trace: ***
    @     0x7f3908018634  absl::lts_20260107::log_internal::LogMessage::SendToLog()
"""


def retold(text):
    out = io.BytesIO()
    stderr_filter.retell(text.splitlines(keepends=True), out)
    return out.getvalue().decode()


def test_a_lost_process_leaves_one_line():
    line = (
        "error: " + stderr_filter.LOST.format("UNAVAILABLE: Gone: 1 The tasks have crashed") + "\n"
    )
    assert retold(FATAL) == line


@pytest.mark.parametrize("text", [b"a\nerror: why\n" + FATAL, b"a\n" + FATAL + b"error: why\n"])
def test_the_reason_a_process_gives_itself_is_enough(text):
    assert retold(text) == "a\nerror: why\n"


def test_all_else_is_passed_on():
    text = FATAL.replace(b"coordination_service_agent", b"cuda").replace(b"client.h", b"nccl.cc")
    assert retold(text) == text.decode()
