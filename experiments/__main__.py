"""What the package installs as the command `amd-jax`: `python -m experiments` is the same.

amd-jax run --config=quickstart        as python -m experiments.run --config=quickstart
amd-jax demo --pretrained=wiki_text    as python -m experiments.demo --pretrained=wiki_text
"""

import importlib
import sys

from amd_jax.cli import console
from amd_jax.pages import commands

COMMANDS = ("run", "compare", "report", "demo", "known_answers", "table4", "to_tokens", "list")


def start() -> None:
    """Runs the command that is named first; flags alone are those of `run`."""
    first, *rest = sys.argv[1:] or ["help"]
    if first == "help" and rest:  # amd-jax help run
        first, rest = rest[0], ["--help"]
    if not rest and first in {"help", *console.HELP}:
        console.show(console.overview(COMMANDS))
        return
    if first.startswith("-"):
        first, rest = "run", sys.argv[1:]
    name = first.replace("-", "_")
    if name not in COMMANDS:
        sys.exit(f"error: {console.unknown(first, COMMANDS)}")
    module = importlib.import_module(f".{name}", __package__)
    module.main([f"{commands.program(sys.argv[0])} {first}", *rest])


if __name__ == "__main__":
    start()
