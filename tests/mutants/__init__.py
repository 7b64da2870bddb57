"""Small wrong changes of the package, each with the reason why it is wrong, by room."""

import importlib
import pathlib

from tests.mutants.mutant import Mutant

ROOMS = sorted(
    path.stem
    for path in pathlib.Path(__file__).parent.glob("[a-z]*.py")
    if path.stem not in ("mutant", "test_mutants")
)
ALL: list[Mutant] = [
    mutant for room in ROOMS for mutant in importlib.import_module(f"{__name__}.{room}").MUTANTS
]


def applied(mutant: Mutant, source: str) -> str:
    """The source with the mutant in it. Raises ValueError unless `old` stands there once."""
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {source.count(mutant.old)} of {mutant.old!r}")
    return source.replace(mutant.old, mutant.new)
