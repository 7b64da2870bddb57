import pytest

from tests.cli.command import QUICK, SMALL, command


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run of the quickstart, and what its command printed: (workdir, Result)."""
    workdir = tmp_path_factory.mktemp("runs") / "trained"
    return workdir, command(QUICK, *SMALL, f"--workdir={workdir}")
