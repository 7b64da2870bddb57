"""Argmax coupling flow on text8 (Hoogeboom et al., 2021).

    python -m experiments.run --config=experiments/text8_argmax_coupling.py

Paper: 1.82 bits/char on the test split. This file: not run. The authors' warm-up sets the
learning rate anew at every iteration, so the decay that their command asks for never acts, nor
does it here.

A smaller one, for a CPU: add
--config.couplings=2 --config.network.features=128 --config.num_steps=200 --num_texts=64
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text8
from amd_jax.ops import scalars
from amd_jax.training import objectives
from amd_jax.training.experiment import LONG, Experiment, numbers
from amd_jax.transforms import argmax, coupling, elementwise, laws
from amd_jax.transforms.conditioner import OfTokens

ROWS = 351_562  # chunks of 256 in the training split


def get_config() -> ConfigDict:
    """The paper's numbers; everything here can be overridden from the command line."""
    config = numbers(batch_size=16, num_steps=40 * ROWS // 16, **LONG)
    config.couplings = 8
    config.network = dict(features=512, layers=2, components=8, input_dropout=0.05)
    config.network.update(dtype="float32")
    config.encoder = dict(width=512, layers=1, context=128)
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=1000)
    return config


def build(config: ConfigDict) -> Experiment:
    """Plain composition: to change a part, change its line."""
    data = text8.load(length=256)
    digits = argmax.Digits(text8.NUM_CLASSES, base=2)
    encoder = networks.PointwiseContext(text8.NUM_CLASSES, 2 * digits.digits, **config.encoder)
    parts = [digits, argmax.BinaryArgmax(laws.Conditional(laws.NORMAL, OfTokens(encoder, base=2)))]
    moved = digits.digits - digits.digits // 2
    for i in range(config.couplings):
        if i > 0:
            parts += [elementwise.Reverse(), elementwise.Linear1x1()]
        network = networks.BidirectionalLSTM(channels=moved, **config.network)
        parts.append(coupling.Coupling(network, scalars.LogisticMixture(network.components)))
    model = models.Flow(tuple(parts), laws.Learned(laws.NORMAL))
    optimizer = optax.adamax(
        optax.linear_schedule(0.0, config.optimizer.learning_rate, config.optimizer.warmup_steps)
    )
    return Experiment(model, objectives.NegativeElbo(model), optimizer, data)
