"""Small wrong changes of the package, each with the reason why it is wrong, by room."""

import pathlib

from tests.mutants.mutant import Mutant, read

ROOMS = sorted(pathlib.Path(__file__).parent.glob("*.txt"))
ALL = [mutant for room in ROOMS for mutant in read(room)]


def applied(mutant: Mutant, source: str) -> str:
    """The source with the mutant in it. Raises ValueError unless `old` stands there once."""
    if not mutant.old or source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {source.count(mutant.old)} of {mutant.old!r}")
    return source.replace(mutant.old, mutant.new)
