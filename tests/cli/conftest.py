import shutil

import pytest

from tests.finished_runs import finished, finished_runs, trained_once  # noqa: F401  fixtures


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run of the quickstart, and what its command printed: (workdir, Result)."""
    run, workdir = trained_once("text", tmp_path_factory), tmp_path_factory.mktemp("runs")
    shutil.copytree(run.workdir, workdir, dirs_exist_ok=True)
    return workdir, run.result
