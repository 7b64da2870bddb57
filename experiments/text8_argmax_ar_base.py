"""Autoregressive argmax flow on text8, its characters as digits of any base.

    python -m experiments.run --config=experiments/text8_argmax_ar_base.py --config.base=3

Hoogeboom et al., 2021: bases 27, 6, 3 and 2 take 1, 2, 3 and 5 digits. Paper: 1.45,
1.44, 1.44 and 1.44 bits/char on the test split, with a smaller network. This file: not run.

A smaller one, for a CPU: add
--config.network.features=256 --config.batch_size=16 --config.num_steps=200 --num_texts=64
"""

import math

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text8
from amd_jax.ops import scalars
from amd_jax.training import objectives
from amd_jax.training.experiment import LONG, Experiment, numbers
from amd_jax.transforms import argmax, autoregressive, elementwise, laws
from amd_jax.transforms.conditioner import OfTokens

ROWS = 351_562  # chunks of 256 in the training split


def get_config() -> ConfigDict:
    """The paper's numbers; everything here can be overridden from the command line."""
    config = numbers(batch_size=64, num_steps=40 * ROWS // 64, **LONG)
    config.base = 2
    config.network = dict(features=1024, layers=1, components=27, input_dropout=0.25)
    config.network.update(dtype="float32")
    config.encoder = dict(width=512, layers=1, context=128)
    config.optimizer = dict(learning_rate=1e-3, decay_per_epoch=0.995)
    return config


def build(config: ConfigDict) -> Experiment:
    """Plain composition: to change a part, change its line."""
    data = text8.load(length=256)
    digits = argmax.Digits(text8.NUM_CLASSES, config.base)
    codes = () if config.base == 2 else (config.base,)  # one number for a bit, else one per value
    channels = digits.digits * math.prod(codes)
    network = networks.ContextLSTM(text8.NUM_CLASSES, 2 * channels, **config.encoder)
    encoder = laws.Conditional(laws.NORMAL, OfTokens(network, config.base), event=codes)
    lift = argmax.Argmax(encoder) if codes else argmax.BinaryArgmax(encoder)
    layer = autoregressive.Autoregressive(
        networks.AutoregressiveLSTM(**config.network),
        scalars.LogisticMixture(config.network.components),
    )
    merge = elementwise.Merge((digits.digits, *codes))
    model = models.Flow((digits, lift, merge, layer), laws.Learned(laws.NORMAL))
    learning_rate = optax.exponential_decay(
        config.optimizer.learning_rate,
        transition_steps=ROWS // config.batch_size,
        decay_rate=config.optimizer.decay_per_epoch,
        staircase=True,
    )
    return Experiment(model, objectives.NegativeElbo(model), optax.adam(learning_rate), data)
