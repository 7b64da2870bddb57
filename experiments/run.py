"""Trains an experiment; evaluates it, samples from it, corrects text or maps with it.

    python -m experiments.run --config=quickstart
    python -m experiments.run --config=own_text --config.data.path=book.txt --config.num_steps=2e4
    python -m experiments.run --workdir=runs/quickstart --mode=sample --steps=100 --temperature=0.8
    python -m experiments.run --workdir=runs/quickstart --mode=evaluate --split=validation
    python -m experiments.run --pretrained=wiki_text --mode=correct --text="the quick brwwn fox"

The same command again continues where a run stopped. --config.NAME=VALUE overrides a number of the
experiment; --help --config=NAME lists them, with what its model offers.
"""

import sys

from amd_jax.cli import console


def main(argv: list[str]) -> None:
    """Runs the command; argv[0] is how it was started."""
    console.start("amd_jax.cli.run", argv)


if __name__ == "__main__":
    main(sys.argv)
