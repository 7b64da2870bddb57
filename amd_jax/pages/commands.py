"""Command lines as one would type them in a shell."""

import shlex
from collections.abc import Sequence
from pathlib import PurePath

CONSOLE = "amd-jax"  # the command that an installed package has
ROOMS = ("experiments", "benchmarks")


def shell_line(argv: Sequence[str]) -> str:
    """What was typed for a program to see this `sys.argv`, quoted for a shell."""
    first, *rest = map(str, argv) if argv else ("",)
    return " ".join([program(first), *map(shlex.quote, rest)])


def program(file: str) -> str:
    """How a program is started: `python -m experiments.run` for .../experiments/run.py."""
    path = PurePath(file.replace("\\", "/"))
    if path.name.removesuffix(".exe") == CONSOLE:
        return CONSOLE
    parts = [*path.parts[:-1], path.stem]
    rooms = [i for i, part in enumerate(parts[:-1]) if part in ROOMS]
    if path.suffix != ".py" or not rooms:
        return f"python {shlex.quote(file)}" if file else "python"
    start = rooms[-1]
    if (
        parts[start - 1] == "amd_jax" and "site-packages" in parts[:start]
    ):  # installed, no checkout
        start -= 1
    names = parts[start:-1] if parts[-1] == "__main__" else parts[start:]
    return f"python -m {'.'.join(names)}"


def flag(name: str, value: object) -> str:
    """A flag with its value, quoted for a shell."""
    return f"--{name}={shlex.quote(str(value))}"
