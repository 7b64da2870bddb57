"""Applies one mutant at a time to a copy of the checkout: do its tests notice?

    python -m tests.mutants [NAME ...]      those whose names begin so; all, if none is given
    python -m tests.mutants --first ...     only the tests that each mutant names

Prints a line for each: caught (by which test) or SURVIVED; exits with 1 if one survived. The
default tests of the place that a mutant names come first, then those of its folder, then all.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

from tests import mutants

ROOT = pathlib.Path(__file__).parents[2]


def copied(place: pathlib.Path) -> pathlib.Path:
    """What git has of the working tree, in a folder of its own."""
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    subprocess.run(
        ["tar", "--null", "-T", "-", "-cf", place / "tar"], cwd=ROOT, input=files, check=True
    )
    subprocess.run(["tar", "-xf", place / "tar", "-C", place], check=True)
    return place


def noticed(copy: pathlib.Path, tests: str, marked: str) -> str | None:
    """The first test that fails; None if all pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", f"{marked} and not gpu", tests]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    if done.returncode in (0, 5):  # 5: no test is there
        return None
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return failed[1] if failed else done.stdout[-300:]


def tried(mutant: mutants.Mutant, copy: pathlib.Path, first: bool) -> str | None:
    """The test that notices a mutant, applied to the copy meanwhile."""
    file = copy / "amd_jax" / mutant.file
    right = file.read_text(encoding="utf-8")
    file.write_text(mutants.applied(mutant, right), encoding="utf-8")
    named = f"tests/{mutant.tests}"
    places = [named, f"tests/{mutant.tests.partition('/')[0]}", "tests"][: 1 if first else 3]
    try:
        found = (noticed(copy, place, mutant.marked) for place in dict.fromkeys(places))
        return next((test for test in found if test), None)
    finally:
        file.write_text(right, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", usage=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--first", action="store_true")
    args = parser.parse_args()
    chosen = [m for m in mutants.ALL if not args.names or m.name.startswith((*args.names,))]
    survived = []
    with tempfile.TemporaryDirectory() as place:
        copy = copied(pathlib.Path(place))
        for mutant in chosen:
            test = tried(mutant, copy, args.first)
            print(
                f"{'caught' if test else 'SURVIVED'}  {mutant.name}  {test or mutant.why}",
                flush=True,
            )
            survived += [] if test else [mutant.name]
    print(f"{len(chosen) - len(survived)} of {len(chosen)} caught")
    sys.exit(bool(survived) or not chosen)


if __name__ == "__main__":
    main()
