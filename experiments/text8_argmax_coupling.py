"""Argmax coupling flow on text8 and enwik8 (Hoogeboom et al., 2021).

    python -m experiments.run --config=experiments/text8_argmax_coupling.py
    python -m experiments.run --config=experiments/text8_argmax_coupling.py:enwik8

Paper: 1.82 bits/char on the test split of text8, 1.93 bits/byte on that of enwik8. This file: not
run. The authors' warm-up sets the learning rate anew at every iteration, so the decay that their
command asks for never acts, nor does it here.

A smaller one, for a CPU: add
--config.couplings=2 --config.network.features=128 --config.num_steps=200 --num_texts=64
"""

import optax
from ml_collections import ConfigDict

from amd_jax import networks, recipes
from amd_jax.data import corpora
from amd_jax.data.text import Text
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers

PAPER = {  # length of a row, batch, epochs, units of the LSTMs, dropout of their input
    "text8": (256, 16, 40, 512, 0.05),
    "enwik8": (320, 32, 20, 768, 0.1),
}


def get_config(corpus: str = "text8") -> ConfigDict:
    """The paper's numbers; everything here can be overridden from the command line."""
    corpora.named(corpus)
    length, batch, epochs, features, dropout = PAPER[corpus]
    num_steps = epochs * (corpora.TRAIN // length) // batch
    config = numbers(batch_size=batch, num_steps=num_steps, **LONG)
    config.data = dict(corpus=corpus, length=length)
    config.couplings = 8
    config.network = dict(features=features, layers=2, components=8, input_dropout=dropout)
    config.network.update(dtype="float32")
    config.encoder = dict(width=512, layers=1, context=128)
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=1000)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return corpora.named(config.data.corpus).load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes/paper.py`."""
    lift = recipes.argmax_lift(networks.PointwiseContext, facts.num_classes, 2, config.encoder)
    model = recipes.coupling_flow(lift, config.couplings, config.network)
    rise = optimizers.rise(config.optimizer.learning_rate, config.optimizer.warmup_steps)
    optimizer = optimizers.scheduled(optax.adamax, rise)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
