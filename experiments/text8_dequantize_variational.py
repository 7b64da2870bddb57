"""Variational dequantisation on text8, the paper's baseline, under both of its flows.

    python -m experiments.run --config=experiments/text8_dequantize_variational.py

With --config.couplings=8 the coupling flow instead of the autoregressive one; --config.base=27 for
characters as one number each instead of five bits (the autoregressive flow only). Hoogeboom et
al., 2021: 1.43 bits/char autoregressive, 2.08 coupling. This file: not run.

A smaller one, for a CPU: add
--config.network.features=256 --config.network.layers=1 --config.batch_size=16
--config.num_steps=200 --num_texts=64
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text8
from amd_jax.ops import scalars
from amd_jax.training import objectives
from amd_jax.training.experiment import LONG, Experiment, numbers
from amd_jax.transforms import argmax, autoregressive, coupling, dequantize, elementwise, laws
from amd_jax.transforms.conditioner import OfTokens

ROWS = 351_562  # chunks of 256 in the training split


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=64, num_steps=40 * ROWS // 64, **LONG)
    config.base = 2
    config.couplings = 0  # layers of the coupling flow; 0 for the autoregressive one
    config.network = dict(features=2048, layers=2, components=27, input_dropout=0.25)
    config.network.update(dtype="float32")
    config.encoder = dict(width=512, layers=1, context=128)
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=1000)
    return config


def build(config: ConfigDict) -> Experiment:
    """Plain composition: to change a part, change its line."""
    data = text8.load(length=256)
    digits = argmax.Digits(text8.NUM_CLASSES, config.base)
    encoder = networks.ContextLSTM(text8.NUM_CLASSES, 2 * digits.digits, **config.encoder)
    lift = dequantize.Variational(
        config.base, laws.Conditional(laws.NORMAL, OfTokens(encoder, config.base))
    )
    bijection = scalars.LogisticMixture(config.network.components)
    layers = []
    if config.couplings:
        moved = digits.digits - digits.digits // 2
        for _ in range(config.couplings):
            network = networks.BidirectionalLSTM(channels=moved, **config.network)
            layers.append(coupling.Coupling(network, bijection))
            layers += [elementwise.Reverse(), elementwise.Linear1x1()]
    else:
        network = networks.AutoregressiveLSTM(**config.network)
        layers.append(autoregressive.Autoregressive(network, bijection))
    model = models.Flow((digits, lift, *layers), laws.Learned(laws.NORMAL))
    optimizer = optax.adamax(
        optax.linear_schedule(0.0, config.optimizer.learning_rate, config.optimizer.warmup_steps)
    )
    return Experiment(model, objectives.NegativeElbo(model), optimizer, data)
