"""Our side: a training step of `experiments/text8_masked.py` at the size asked for."""

import sys

import jax
import numpy as np

from amd_jax.facts import Facts
from benchmarks.peers import BATCH, CLASSES, LENGTH, SIZES
from benchmarks.workers import ours
from experiments import text8_masked


def main() -> None:
    """Builds the experiment's parts and serves."""
    ours.keep_pages()
    config = text8_masked.get_config()
    width, blocks, heads = SIZES[sys.argv[1]]
    config.network.update(width=width, blocks=blocks, heads=heads, dropout=0.0)
    _, objective, optimizer = text8_masked.build(config, Facts(CLASSES, (LENGTH,)))
    x = np.random.default_rng(0).integers(0, CLASSES, (BATCH, LENGTH), dtype=np.int32)
    _, train = ours.trainer(objective, optimizer, x, jax.random.key(1), ema_decay=0.9999)
    ours.serve({"train": train})


if __name__ == "__main__":
    main()
