"""Lists the experiments and the weights of the package, a line each.

    python -m experiments.list
    python -m experiments.run --config=quickstart
    python -m experiments.run --pretrained=wiki_text --mode=sample --steps=100

An experiment is given by its name as --config, weights by theirs as --pretrained.
"""

import sys

from amd_jax.cli import console, listing


def main(argv: list[str]) -> None:
    """Runs the command; argv[0] is how it was started."""
    console.answer(argv, "list", listing.text)


if __name__ == "__main__":
    main(sys.argv)
