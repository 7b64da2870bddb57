"""Trains families of models on toys whose entropy is known: a table, a picture of samples.

    python -m experiments.known_answers
    python -m experiments.known_answers --toys=ring,potts --families=diffusion,autoregressive

Each row is `experiments/known_answers_row.py` with a toy and a family, trained for --minutes or
for --steps in a folder of its own under --workdir. The gap is what the model needs beyond the
entropy, in nats of a row: the mean over test rows of log p(x) - log p_model(x), each row beside
itself, with its standard error. Where all rows can be written down and the figure is exact it is
the expectation over them, without an error. A bound that is none shows as a gap below zero.
Of models of sets it says how many of their samples are such sets.

The same command again continues: what is trained and measured stays. Writes known_answers.md, and
of pairs a picture.
"""

import sys

from amd_jax.cli import console


def main(argv: list[str]) -> None:
    """Runs the command; argv[0] is how it was started."""
    console.start("amd_jax.comparison.known_answers", argv)


if __name__ == "__main__":
    main(sys.argv)
