"""Trains several experiments for equal time on the same data: a table, a picture, a page.

    python -m experiments.compare own_text own_text_masked --config.data.path=book.txt
    python -m experiments.compare own_text "own_text_masked --config.p_uniform=0.2" --steps=3000
        --config.data.path=book.txt --sampler="ancestral --steps=16,64,256"

A row is an experiment, in quotes with numbers of its own; numbers outside of quotes are for all of
them. Each is trained for --minutes, or for --steps, in a folder of its own under --workdir, as
`experiments.run` would. Then come its bits on test data, and the errors it corrects; and for each
--sampler that its kernel admits, measures of the samples. Of a sampler's number several values may
be given, with commas: all are tried.

With --scores=4 samples of all rows stand in one table beside data and nonsense, scored in 4 draws.

The same command again continues: what is trained and measured stays. Writes compare.md,
compare.svg (with matplotlib) and compare.html, and for maps samples.png.
"""

import sys

from amd_jax.cli import console


def main(argv: list[str]) -> None:
    """Runs the command; argv[0] is how it was started."""
    console.start("amd_jax.comparison.compare", argv)


if __name__ == "__main__":
    main(sys.argv)
