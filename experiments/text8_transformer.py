"""A causal Transformer on text8 and enwik8, on the same independent rows as the flows.

    python -m experiments.run --config=experiments/text8_transformer.py
    python -m experiments.run --config=experiments/text8_transformer.py:enwik8

The 64-layer Transformer of Al-Rfou et al. (2019), which Hoogeboom et al. (2021) compare with, has
1.13 bits/char on text8 and 1.06 bits/byte on enwik8, with longer contexts and losses at its inner
layers and positions. This file, 12 modern layers on rows of 256 and 320: not run.

A smaller one, for a CPU: add
--config.network.width=128 --config.network.blocks=2 --config.network.heads=4
--config.batch_size=16 --config.num_steps=200 --num_texts=64
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import corpora
from amd_jax.data.text import Text
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers

LENGTHS = {"text8": 256, "enwik8": 320}


def get_config(corpus: str = "text8") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    corpora.named(corpus)
    config = numbers(batch_size=128, num_steps=100_000, clip=300.0, ema_decay=0.999, **LONG)
    config.data = dict(corpus=corpus, length=LENGTHS[corpus])
    config.network = dict(width=512, blocks=12, heads=8, taps=1, dropout=0.1)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=2000)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return corpora.named(config.data.corpus).load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    network = networks.CausalTransformer(facts.num_classes, **config.network)
    model = models.Autoregressive(network)
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
