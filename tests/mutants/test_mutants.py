import pathlib

import pytest

import amd_jax
from tests import mutants

ROOT = pathlib.Path(amd_jax.__file__).parent


def test_every_mutant_has_a_name_of_its_own():
    names = [mutant.name for mutant in mutants.ALL]
    assert len(names) == len(set(names)) >= 160


@pytest.mark.parametrize("mutant", mutants.ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_is_still_python_and_its_tests_are_there(mutant):
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    changed = mutants.applied(mutant, source)
    assert changed != source
    compile(changed, mutant.file, "exec")
    assert (pathlib.Path(__file__).parents[1] / mutant.tests).exists()
