"""Writes a page that shows several runs side by side.

    python -m experiments.report runs/quickstart runs/own_text --output=comparison.html

It reads what runs have written down; none of their files are executed. The page of a single run,
report.html in its workdir, is written at the end of its training, and by:

    python -m experiments.run --workdir=runs/quickstart --mode=report
"""

import sys

from amd_jax.cli import console


def main(argv: list[str]) -> None:
    """Runs the command; argv[0] is how it was started."""
    console.start("amd_jax.comparison.run_comparison", argv)


if __name__ == "__main__":
    main(sys.argv)
