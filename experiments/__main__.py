"""What the package installs as the command `amd-jax`: `python -m experiments` is the same.

amd-jax --config=quickstart            as python -m experiments.run --config=quickstart
amd-jax demo --pretrained=wiki_text    as python -m experiments.demo --pretrained=wiki_text
"""

import importlib
import sys

from amd_jax.cli import command_line

COMMANDS = ("run", "demo", "report", "compare", "table4")


def start() -> None:
    """Runs the command that is named first, or `run`."""
    named = sys.argv[1:2] if sys.argv[1:2] and sys.argv[1] in COMMANDS else []
    (name,) = named or ["run"]
    module = importlib.import_module(f".{name}", __package__)
    command_line.run(module.main, [f"amd-jax {name}", *sys.argv[1 + len(named) :]])


if __name__ == "__main__":
    start()
