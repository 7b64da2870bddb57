"""Serves a page to play with: text to correct, gaps to fill, noise that becomes text or maps.

    python -m experiments.demo --pretrained=wiki_text
    python -m experiments.demo --workdir=runs/quickstart

The page is at an address of this machine, and makes no request off it. Ctrl-C ends it.
"""

import sys

from amd_jax.cli import console


def main(argv: list[str]) -> None:
    """Runs the command; argv[0] is how it was started."""
    console.start("amd_jax.demo.command", argv)


if __name__ == "__main__":
    main(sys.argv)
