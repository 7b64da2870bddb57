"""Categorical normalising flow on text8 and enwik8 (Lippe and Gavves, 2021).

    python -m experiments.run --config=experiments/text8_cnf.py
    python -m experiments.run --config=experiments/text8_cnf.py:enwik8

Paper: 1.45 bits/char on the test split of text8, none on enwik8. The numbers are those of the
authors' code. This file: not run.

A smaller one, for a CPU: add
--config.network.features=512 --config.network.layers=1 --config.batch_size=16
--config.num_steps=200 --num_texts=64
"""

import optax
from ml_collections import ConfigDict

from amd_jax import networks, recipes
from amd_jax.data import corpora
from amd_jax.data.text import Text
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import latent_objectives, optimizers
from amd_jax.transforms import laws


def get_config(corpus: str = "text8") -> ConfigDict:
    """The authors' numbers; everything here can be overridden from the command line."""
    corpora.named(corpus)
    config = numbers(batch_size=128, num_steps=100_000, **LONG)
    config.data = dict(corpus=corpus, length=256)
    config.dim = 3  # numbers that stand for a character
    config.network = dict(features=1024, layers=2, components=27, input_dropout=0.0)
    config.network.update(dtype="float32")
    config.decoder = dict(first=2.0, half_life=5000.0)  # its weight in training
    config.optimizer = dict(learning_rate=7.5e-4)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return corpora.named(config.data.corpus).load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes`."""
    lift = recipes.mixture_encoding(facts.log_frequencies, config.dim)
    past = networks.AutoregressiveLSTM(**config.network)
    model = recipes.autoregressive_flow(lift, past, laws.Fixed(laws.LOGISTIC))
    rate = optax.constant_schedule(config.optimizer.learning_rate)
    optimizer = optimizers.scheduled(optax.radam, rate)
    return Parts(model, latent_objectives.WeightedDecoder(model, **config.decoder), optimizer)
