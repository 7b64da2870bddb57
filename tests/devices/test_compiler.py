"""Known faults of compilers: avoided, and noticed where they are not."""

import os

import numpy as np
import pytest

from amd_jax import check_backend
from amd_jax.devices import compiler

FIRST, END = compiler.FAULTY
NO_REDUCE = f"{compiler.YNN}=-reduce"


@pytest.fixture
def anew():
    """The check as in a new process, before and after."""
    check_backend.cache_clear()
    yield
    check_backend.cache_clear()


def test_every_known_program_is_right_on_this_backend(anew):
    assert check_backend() is None
    for fault in compiler.FAULTS:  # those of other backends, too
        np.testing.assert_array_equal(fault.computed(), fault.expected())


@pytest.mark.parametrize("computed", [np.arange(3), -np.arange(3), np.array([0, 1, np.nan])])
def test_a_wrong_number_is_named_with_the_version_and_the_way_out(anew, monkeypatch, computed):
    wrong = compiler.Fault("cpu", "a sum", lambda: computed, lambda: np.zeros(3), "Do sums.")
    elsewhere = wrong._replace(backend="abacus", what="a bead")
    monkeypatch.setattr(compiler, "FAULTS", [*compiler.FAULTS, elsewhere, wrong])
    version = compiler.importlib.metadata.version("jaxlib")
    said = rf"^jaxlib {version} on cpu (.|\n)*: a sum, 2 of them wrong(.|\n)*Do sums\.$"
    with pytest.raises(RuntimeError, match=said):
        check_backend()


@pytest.mark.parametrize(
    ("version", "before", "after"),
    [
        (FIRST, "", NO_REDUCE),
        ((0, 12, 0), "--xla_foo=1", f"--xla_foo=1 {NO_REDUCE}"),
        ((0, 12, 0), f"{compiler.YNN}=", f"{compiler.YNN}="),  # as its user wants it
        ((0, 10, 1), "", ""),  # which has no fault
        (END, "", ""),  # which may not know the flag
    ],
)
def test_the_flag_is_set_where_it_is_needed(monkeypatch, version, before, after):
    monkeypatch.setattr(compiler, "version", lambda: version)
    monkeypatch.setenv("XLA_FLAGS", before)
    compiler.avoid_known_faults()
    assert os.environ["XLA_FLAGS"] == after
