"""Pages of runs: one on a run and its model, and one of several runs side by side.

    python -m experiments.report runs/quickstart runs/own_text --output=comparison.html

Training writes report.html into the workdir, and `--mode=report` of `experiments.run` writes it
again. A comparison reads what runs have written down; none of their files are executed.
"""

import sys

from amd_jax.cli import command_line
from amd_jax.comparison.run_comparison import main

if __name__ == "__main__":
    command_line.run(main, sys.argv)
