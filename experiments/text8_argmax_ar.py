"""Autoregressive argmax flow on text8 (Hoogeboom et al., 2021).

    python -m experiments.run --config=experiments/text8_argmax_ar.py

Paper: 1.39 bits/char on the test split. This file: not run.

A smaller one, for a CPU: add
--config.network.features=512 --config.network.layers=1 --config.batch_size=16
--config.num_steps=200 --num_texts=64
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text8
from amd_jax.ops import scalars
from amd_jax.training import objectives
from amd_jax.training.experiment import LONG, Experiment, numbers
from amd_jax.transforms import argmax, autoregressive, laws
from amd_jax.transforms.conditioner import OfTokens

ROWS = 351_562  # chunks of 256 in the training split


def get_config() -> ConfigDict:
    """The paper's numbers; everything here can be overridden from the command line."""
    config = numbers(batch_size=64, num_steps=40 * ROWS // 64, **LONG)
    config.network = dict(features=2048, layers=2, components=27, input_dropout=0.25)
    config.network.update(dtype="float32")
    config.encoder = dict(width=512, layers=1, context=128)
    config.optimizer = dict(learning_rate=1e-3, decay_per_epoch=0.995)
    return config


def build(config: ConfigDict) -> Experiment:
    """Plain composition: to change a part, change its line."""
    data = text8.load(length=256)
    digits = argmax.Digits(text8.NUM_CLASSES, base=2)
    encoder = networks.ContextLSTM(text8.NUM_CLASSES, 2 * digits.digits, **config.encoder)
    lift = argmax.BinaryArgmax(laws.Conditional(laws.NORMAL, OfTokens(encoder, base=2)))
    layer = autoregressive.Autoregressive(
        networks.AutoregressiveLSTM(**config.network),
        scalars.LogisticMixture(config.network.components),
    )
    model = models.Flow((digits, lift, layer), laws.Learned(laws.NORMAL))
    learning_rate = optax.exponential_decay(
        config.optimizer.learning_rate,
        transition_steps=ROWS // config.batch_size,
        decay_rate=config.optimizer.decay_per_epoch,
        staircase=True,
    )
    return Experiment(model, objectives.NegativeElbo(model), optax.adam(learning_rate), data)
