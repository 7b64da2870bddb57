"""Discrete flow on text8: couplings of characters mod 27 (Tran et al., 2019).

    python -m experiments.run --config=experiments/text8_discrete_flow.py

Tran et al.: 1.23 bits/char with 8 couplings that scale. Their code has no file for text; the
networks here are DenseNets and the base has independent characters. With
--config.scaled=False locations only. This file: not run.

A smaller one, for a CPU: add
--config.network.growth=32 --config.network.width=64 --config.network.depth=3
--config.batch_size=16 --config.num_steps=200 --num_texts=64
"""

import optax
from ml_collections import ConfigDict

from amd_jax import recipes
from amd_jax.data import corpora, text8
from amd_jax.data.text import Text
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    rows = corpora.TRAIN // 256
    config = numbers(batch_size=128, num_steps=40 * rows // 128, **LONG)
    config.data = dict(length=256)
    config.layers = 8
    config.scaled = True
    config.temperature = 1.0  # of the gradient
    config.network = dict(blocks=2, growth=128, depth=6, width=512)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=1000)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return text8.load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes/baselines.py`."""
    kwargs = {"scaled": config.scaled, "temperature": config.temperature}
    model = recipes.modular_couplings(facts.num_classes, config.layers, config.network, **kwargs)
    rise = optimizers.rise(config.optimizer.learning_rate, config.optimizer.warmup_steps)
    optimizer = optimizers.scheduled(optax.adam, rise)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
