"""A small wrong change of the package, which tests are to notice."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """In a file of amd_jax, `new` in the place of `old`, which stands there once."""

    name: str
    file: str  # below amd_jax/
    old: str
    new: str
    why: str  # it is wrong
    tests: str  # below tests/: a file or folder that is to notice; the others are tried after it
    marked: str = "not slow"  # "slow": CI notices, not the default tests
