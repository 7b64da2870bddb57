"""One table of every fault that was sent: what it was, what is to happen, and what was seen.

python -m pytest -m "" tests/faults
"""

import pathlib
import shutil
import signal

import pytest

from tests.faults.sending import experiments
from tests.finished_runs import finished_runs, trained_once  # noqa: F401  a fixture


@pytest.fixture
def in_time():
    """Two minutes for a test, whatever the machine does beside: what hangs fails."""

    def late(*_):
        raise AssertionError("it does not end")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def report(record_property):
    """report(fault, expected, seen) makes a row of the table; call it before what may fail."""

    def add(fault: str, expected: str, seen: object) -> None:
        record_property("fault", [str(fault), str(expected), " ".join(str(seen).split())])

    return add


@pytest.fixture
def said(report):
    """said(fault, expected, seen) makes a row, and fails unless the words were seen."""

    def check(fault: str, expected: str, seen: str) -> None:
        report(fault, expected, seen)
        assert expected in seen

    return check


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the experiments in it, in which the test works: paths are relative."""
    experiments(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder with a finished run of the quickstart, tiny, in the workdir it has by default."""
    folder = experiments(tmp_path_factory.mktemp("made"))
    shutil.copytree(trained_once("text", tmp_path_factory).folder / "runs", folder / "runs")
    return folder


@pytest.fixture
def trained(made, place):
    """runs/quickstart, relative to where the test works: a copy of the finished run."""
    shutil.copytree(made / "runs", place / "runs")
    return pathlib.Path("runs/quickstart")
