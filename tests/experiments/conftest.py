import jax
import pytest

from tests.experiments.command import QUICK, SMALL, command


@pytest.fixture(scope="session")
def quick_compilation():
    """Most of the time here goes into compiling programs that run once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, quick_compilation):
    """A finished run of the quickstart, and what its command printed: (workdir, Result)."""
    workdir = tmp_path_factory.mktemp("runs") / "trained"
    return workdir, command(QUICK, *SMALL, f"--workdir={workdir}")
