"""Gaussian diffusion of characters on text8 and enwik8: the background of the paper.

    python -m experiments.run --config=experiments/text8_gaussian_diffusion.py
    python -m experiments.run --config=experiments/text8_gaussian_diffusion.py:enwik8

Ho et al., 2020, on one-hots, with the bound of Kingma et al., 2021, in continuous time, learnt
levels of noise, and the network and the training of `text8_diffusion`. The paper (Hoogeboom et
al., 2021) has no number for it. This file: not run.

A smaller one, for a CPU: add
--config.network.depth=1 --config.num_steps=200 --num_texts=64 --config.sampling_steps=50
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import corpora
from amd_jax.data.text import Text
from amd_jax.diffusion import gaussian
from amd_jax.diffusion.gaussian import noise_schedules
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import learned_objectives, optimizers

SIZES = {"text8": (256, 128), "enwik8": (320, 80)}  # length of a row, window of local attention


def get_config(corpus: str = "text8") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    corpora.named(corpus)
    length, window = SIZES[corpus]
    rows = corpora.TRAIN // length
    config = numbers(batch_size=32, num_steps=300 * rows // 32, **LONG)
    config.data = dict(corpus=corpus, length=length, rows=rows)
    config.levels = dict(first=-5.0, last=7.0, units=32)  # γ of the least and the most noise
    config.sampling_steps = 1000
    config.network = dict(dim=512, depth=12, heads=16, local_heads=8, window=window, dropout=0.0)
    config.network.update(dtype="float32", remat=False, exact_gelu=True)
    config.optimizer = dict(learning_rate=1e-4, decay_per_epoch=0.99)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return corpora.named(config.data.corpus).load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    points, steps = gaussian.one_hots(facts.num_classes), config.sampling_steps
    denoiser = networks.LinearTransformer(len(points), **config.network)
    samplers = (gaussian.samplers.Ancestral(steps), gaussian.samplers.DDIM(steps))
    noise = noise_schedules.Learned(**config.levels)
    model = models.GaussianDiffusion(points, denoiser, noise, steps=None, samplers=samplers)
    peak, decay = config.optimizer.learning_rate, config.optimizer.decay_per_epoch
    rate = optimizers.staircase(peak, decay, every=config.data.rows // config.batch_size)
    optimizer = optimizers.scheduled(optax.adam, rate)
    return Parts(model, learned_objectives.LeastVarianceOfLevels(model), optimizer)
