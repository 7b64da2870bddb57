"""Flows on segmentation maps of Cityscapes: argmax and dequantisation (Hoogeboom et al., 2021).

    python -m experiments.run --config=experiments/cityscapes_argmax.py --config.lift=softplus

--config.lift says how categories become numbers. Paper, bits per pixel, ELBO (IWBO of 1000 draws):
softplus 0.303 (0.290), gumbel 0.365 (0.341), gumbel_threshold 0.307 (0.287); and the baselines,
variational 0.334 (0.315) and uniform 1.010 (0.930). This file: not run. The sizes of the DenseNets
are not in the paper and were never released: those here are a guess.

A smaller one, for a CPU: add --config.levels=3 --config.couplings=2 --config.batch_size=8
--config.network.depth=2 --config.network.growth=16 --config.num_steps=200 --num_texts=64
"""

import optax
from ml_collections import ConfigDict

from amd_jax import recipes
from amd_jax.data import cityscapes, maps
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers

ROWS = 2500  # maps in the training split


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=64, num_steps=2000 * ROWS // 64, **LONG)
    config.lift = "softplus"
    config.levels, config.couplings = 4, 10  # of the density: resolutions, and layers at each
    config.network = dict(blocks=1, growth=64, depth=10, width=128)  # of its couplings
    config.network.update(dtype="float32", remat=False)
    config.encoder = dict(couplings=8, context=32)
    config.encoder.network = dict(blocks=1, growth=32, depth=4, width=64)
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=10 * ROWS // 64)
    return config


def data(config: ConfigDict) -> maps.Maps:
    """What is learnt from; sampling does without."""
    return cityscapes.load()


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes/paper.py`."""
    sizes = (config.levels, config.couplings, config.network, config.encoder)
    model = recipes.map_flow(config.lift, facts, *sizes)
    rise = optimizers.rise(config.optimizer.learning_rate, config.optimizer.warmup_steps)
    optimizer = optimizers.scheduled(optax.adamax, rise)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
