"""Command lines, as one would type them again."""

import shlex
from collections.abc import Sequence
from pathlib import PurePath

CONSOLE = "amd-jax"  # the command that an installed package has


def told(argv: Sequence[str]) -> str:
    """What was typed for a program to see this `sys.argv`, quoted for a shell."""
    first, *rest = map(str, argv) if argv else ("",)
    return " ".join([program(first), *map(shlex.quote, rest)])


def program(file: str) -> str:
    """How a program is started: `python -m experiments.run` for .../experiments/run.py."""
    path = PurePath(file.replace("\\", "/"))
    if path.name.removesuffix(".exe") == CONSOLE:
        return CONSOLE
    parts = path.with_suffix("").parts
    for room in ("experiments", "benchmarks"):
        if room in parts[:-1] and path.suffix == ".py":
            start = len(parts) - 1 - parts[::-1].index(room)
            if parts[start - 1 : start] == ("amd_jax",):
                start -= 1
            names = parts[start:-1] if parts[-1] == "__main__" else parts[start:]
            return f"python -m {'.'.join(names)}"
    return f"python {shlex.quote(file)}" if file else "python"


def flag(name: str, value: object) -> str:
    """A flag with its value, quoted for a shell."""
    return f"--{name}={shlex.quote(str(value))}"
