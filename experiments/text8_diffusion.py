"""Multinomial diffusion on text8 and enwik8 (Hoogeboom et al., 2021, sec. 5.2).

    python -m experiments.run --config=experiments/text8_diffusion.py
    python -m experiments.run --config=experiments/text8_diffusion.py:enwik8

Paper: 1.72 bits/char on the test split of text8, with 51.5 M parameters, and 1.75 bits/byte on
that of enwik8. This file: not run.

A smaller one, for a CPU: add
--config.network.depth=1 --config.num_steps=200 --num_texts=64 --steps=50 --grid=50
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import corpora
from amd_jax.data.text import Text
from amd_jax.diffusion import kernels, schedules
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers

PAPER = {  # length of a row, T, window of the local attention
    "text8": (256, 1000, 128),
    "enwik8": (320, 4000, 80),
}


def get_config(corpus: str = "text8") -> ConfigDict:
    """The paper's numbers; everything here can be overridden from the command line."""
    corpora.named(corpus)
    length, timesteps, window = PAPER[corpus]
    rows = corpora.TRAIN // length
    config = numbers(batch_size=32, num_steps=300 * rows // 32, **LONG)
    config.data = dict(corpus=corpus, length=length, rows=rows)
    config.timesteps = timesteps  # T, the number of diffusion steps
    config.network = dict(dim=512, depth=12, heads=16, local_heads=8, window=window, dropout=0.0)
    config.network.update(dtype="float32", remat=False, exact_gelu=True)
    config.optimizer = dict(learning_rate=1e-4, decay_per_epoch=0.99)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return corpora.named(config.data.corpus).load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = kernels.uniform(schedules.reference_cosine(config.timesteps), facts.num_classes)
    denoiser = networks.LinearTransformer(len(kernel.prior), **config.network)
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps)
    peak, decay = config.optimizer.learning_rate, config.optimizer.decay_per_epoch
    rate = optimizers.staircase(peak, decay, every=config.data.rows // config.batch_size)
    optimizer = optimizers.scheduled(optax.adam, rate)
    return Parts(model, objectives.ImportanceSampledElbo(model), optimizer)
