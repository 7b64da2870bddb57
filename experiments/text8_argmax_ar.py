"""Autoregressive argmax flow on text8 and enwik8 (Hoogeboom et al., 2021).

    python -m experiments.run --config=experiments/text8_argmax_ar.py
    python -m experiments.run --config=experiments/text8_argmax_ar.py:enwik8

Paper: 1.39 bits/char on the test split of text8, 1.42 bits/byte on that of enwik8. --config.base
says how characters become digits; with --config.network.features=1024 --config.network.layers=1
the paper has 1.45, 1.44, 1.44 and 1.44 for bases 27, 6, 3 and 2 on text8. This file: not run.

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
from amd_jax.learning import objectives, optimizers

LENGTHS = {"text8": 256, "enwik8": 320}


def get_config(corpus: str = "text8") -> ConfigDict:
    """The paper's numbers; everything here can be overridden from the command line."""
    corpora.named(corpus)
    rows = corpora.TRAIN // LENGTHS[corpus]
    config = numbers(batch_size=64, num_steps=40 * rows // 64, **LONG)
    config.data = dict(corpus=corpus, length=LENGTHS[corpus], rows=rows)
    config.base = 2
    config.network = dict(features=2048, layers=2, components=27, input_dropout=0.25)
    config.network.update(dtype="float32")
    config.encoder = dict(width=512, layers=1, context=128)
    config.optimizer = dict(learning_rate=1e-3, decay_per_epoch=0.995)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return corpora.named(config.data.corpus).load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes/paper.py`."""
    reader, base = networks.ContextLSTM, config.base
    lift = recipes.argmax_lift(reader, facts.num_classes, base, config.encoder)
    model = recipes.autoregressive_flow(lift, networks.AutoregressiveLSTM(**config.network))
    peak, decay = config.optimizer.learning_rate, config.optimizer.decay_per_epoch
    rate = optimizers.staircase(peak, decay, every=config.data.rows // config.batch_size)
    optimizer = optimizers.scheduled(optax.adam, rate)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
