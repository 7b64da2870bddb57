"""Masked diffusion on text8 and enwik8 in the setting of MD4 (Shi et al., 2024).

    python -m experiments.run --config=experiments/text8_masked.py
    python -m experiments.run --config=experiments/text8_masked.py:gidd

MD4: 1.37 bits/char on the test split of text8, with 12 layers of 768, a million steps of 512 texts
in continuous time. `gidd` adds a share --config.p_uniform of uniform noise at t = 1/2 (von Rütte
et al., 2025, who give no figure of text8). This file: not run.

A smaller one, for a CPU: add
--config.network.blocks=1 --config.batch_size=8 --config.num_steps=200 --num_texts=64 --steps=50
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text8
from amd_jax.data.text import Text
from amd_jax.diffusion import kernels, samplers
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers

SHARES = {"masks": 0.0, "gidd": 0.1}  # of uniform noise


def get_config(noise: str = "masks") -> ConfigDict:
    """MD4's numbers; everything here can be overridden from the command line."""
    if noise not in SHARES:
        raise ValueError(f"Noise is one of {', '.join(SHARES)}; got {noise!r}.")
    config = numbers(batch_size=512, num_steps=1_000_000, ema_decay=0.9999, **LONG)
    config.data = dict(length=256)
    config.p_uniform = SHARES[noise]
    config.sampling_steps = 1000
    config.network = dict(width=768, blocks=12, heads=12, dropout=0.05, exact_gelu=True)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(learning_rate=3e-4, weight_decay=0.03, warmup_steps=2000)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return text8.load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = kernels.masks_and_uniform(facts.num_classes, config.p_uniform)
    denoiser = networks.Transformer(len(kernel.prior), **config.network)
    sampler = samplers.Ancestral(steps=config.sampling_steps)
    model = models.Diffusion(kernel, denoiser, steps=None, samplers=(sampler,))
    peak, warmup_steps = config.optimizer.learning_rate, config.optimizer.warmup_steps
    rate = optimizers.rise_and_fall(peak, warmup_steps, config.num_steps)
    optimizer = optimizers.scheduled(optax.adamw, rate, weight_decay=config.optimizer.weight_decay)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
