"""Runs one experiment: trains it, evaluates it, samples from it, corrects text or maps with it.

    python -m experiments.run --config=experiments/quickstart.py
    python -m experiments.run --config=experiments/quickstart.py --mode=sample --num_samples=4

The same command again continues where a run stopped. Every number of the config can be overridden,
as in --config.num_steps=200. The other modes take everything from the run's workdir.
"""

import sys

from amd_jax.cli import command_line
from amd_jax.cli.run import main

if __name__ == "__main__":
    command_line.run(main, sys.argv)
