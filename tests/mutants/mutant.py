"""A small wrong change of the package, which tests are to notice."""

import pathlib
from typing import NamedTuple


class Mutant(NamedTuple):
    """In a file of amd_jax, `new` in the place of `old`, which stands there once."""

    name: str
    why: str  # it is wrong
    file: str  # below amd_jax/
    tests: str  # below tests/: a file or folder that is to notice; the others are tried after it
    marked: str  # "slow": CI notices, not the default tests; or "not slow"
    old: str
    new: str


def read(path: pathlib.Path) -> list[Mutant]:
    """The mutants of a file: "# FILE, by TESTS[, slow]", then "NAME: WHY", -old and +new lines."""
    result: list[Mutant] = []
    for line in filter(None, path.read_text(encoding="utf-8").splitlines()):
        if line.startswith("# "):
            file, tests, *slow = line[2:].replace(", by ", ", ").split(", ")
            marked = "slow" if slow else "not slow"
        elif line[0] in "-+":
            part = "old" if line[0] == "-" else "new"
            lines = [*filter(None, [getattr(result[-1], part)]), line[1:]]
            result[-1] = result[-1]._replace(**{part: "\n".join(lines)})
        else:
            name, _, why = line.partition(": ")
            result.append(Mutant(name, why, file, tests, marked, "", ""))
    return result
