"""Dequantisation of text8, the paper's baseline, under both of its flows.

    python -m experiments.run --config=experiments/text8_dequantize.py

Variational; with --config.variational=False uniform. With --config.couplings=8 the coupling flow
instead of the autoregressive one; --config.base=27 for characters as one number each instead of
five bits (the autoregressive flow only). Hoogeboom et al., 2021, bits/char: 1.43 variational and
1.90 uniform autoregressive, 2.08 and 2.01 coupling. This file: not run.

A smaller one, for a CPU: add
--config.network.features=256 --config.network.layers=1 --config.batch_size=16
--config.num_steps=200 --num_texts=64
"""

import optax
from ml_collections import ConfigDict

from amd_jax import networks, recipes
from amd_jax.data import corpora, text8
from amd_jax.data.text import Text
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    rows = corpora.TRAIN // 256
    config = numbers(batch_size=64, num_steps=40 * rows // 64, **LONG)
    config.data = dict(length=256)
    config.variational = True
    config.base = 2
    config.couplings = 0  # layers of the coupling flow; 0 for the autoregressive one
    config.network = dict(features=2048, layers=2, components=27, input_dropout=0.25)
    config.network.update(dtype="float32")
    config.encoder = dict(width=512, layers=1, context=128)
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=1000)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return text8.load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of both flows are in `amd_jax/recipes/paper.py`."""
    reader = networks.ContextLSTM if config.variational else None
    lift = recipes.dequantized(reader, facts.num_classes, config.base, config.encoder)
    if config.couplings:
        model = recipes.coupling_flow(lift, config.couplings, config.network)
    else:
        model = recipes.autoregressive_flow(lift, networks.AutoregressiveLSTM(**config.network))
    rise = optimizers.rise(config.optimizer.learning_rate, config.optimizer.warmup_steps)
    optimizer = optimizers.scheduled(optax.adamax, rise)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
