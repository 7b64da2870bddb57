"""Transformer-XL on text8 and enwik8 (Dai et al., 2019).

    python -m experiments.run --config=experiments/text8_transformer_xl.py
    python -m experiments.run --config=experiments/text8_transformer_xl.py:enwik8

Paper: 1.08 bits/char on the test split of text8, 0.99 bits/byte on that of enwik8, read in order
as one text, with a longer memory than in training. That protocol, its numbers as defaults, is

    python -m experiments.run --config=experiments/text8_transformer_xl.py --mode=evaluate
    --bound=long_memory

while --bound=likelihood is of independent rows of 3072 characters: the two are not comparable.
This file: not run. The paper's batch goes on with 64 texts from step to step; here a step has as
many segments, four of each of 16 rows, and every row begins without a memory. The learning rate
falls linearly to zero.

A smaller one, for a CPU: add
--config.network.width=64 --config.network.blocks=2 --config.network.heads=2
--config.network.inner=128 --config.network.segment=64 --config.network.memory=64
--config.data.length=256 --config.num_steps=200 --num_texts=64
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import corpora
from amd_jax.data.text import Text
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers
from amd_jax.models.bounds import Likelihood


def get_config(corpus: str = "text8") -> ConfigDict:
    """The paper's numbers; everything here can be overridden from the command line."""
    corpora.named(corpus)
    length = 4 * 768
    clip = 0.25 * length  # theirs is of the loss of a character, ours of a row
    config = numbers(batch_size=16, num_steps=400_000, clip=clip, **LONG)
    config.data = dict(corpus=corpus, length=length)
    config.network = dict(width=1024, blocks=24, heads=8, inner=3072, segment=768, memory=768)
    config.network.update(dropout=0.15, attention_dropout=0.15, dtype="float32", remat=True)
    config.evaluation = dict(segment=128, memory=3800, clamp=1000, same_length=True)
    config.optimizer = dict(learning_rate=2.5e-4, warmup_steps=4000)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return corpora.named(config.data.corpus).load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    network = networks.TransformerXL(facts.num_classes, **config.network)
    bounds = Likelihood(), models.LongMemory(**config.evaluation)
    model = models.Autoregressive(network, bounds)
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
