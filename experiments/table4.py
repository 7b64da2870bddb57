"""Trains the paper's comparison on segmentation maps: six rows for equal time, one table.

    python -m experiments.table4 --minutes=20
    python -m experiments.table4 --minutes=20 --config.data.path=my_maps/

Each row is `experiments/table4_row.py` with another --config.row; its numbers are overridden as
there. All else is as in `experiments.compare`, which trains and measures them: the same command
again continues. In brackets stand the paper's figures on Cityscapes (its IWBO with k = 1000).
Hoogeboom et al., 2021, sec. 5.
"""

import sys

from amd_jax.cli import console


def main(argv: list[str]) -> None:
    """Runs the command; argv[0] is how it was started."""
    console.start("amd_jax.comparison.table4", argv)


if __name__ == "__main__":
    main(sys.argv)
