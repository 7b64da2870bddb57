"""Multinomial diffusion on enwik8 (Hoogeboom et al., 2021, sec. 5.2).

    python -m experiments.run --config=experiments/enwik8_diffusion.py

Paper: 1.75 bits/byte on the test split. This file: not run.

A smaller one, for a CPU: add
--config.network.depth=1 --config.num_steps=200 --num_texts=64 --steps=50
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import enwik8
from amd_jax.diffusion import kernels, schedules
from amd_jax.training import objectives
from amd_jax.training.experiment import LONG, Experiment, numbers

ROWS = 281_250  # chunks of 320 in the training split


def get_config() -> ConfigDict:
    """The paper's numbers; everything here can be overridden from the command line."""
    config = numbers(batch_size=32, num_steps=300 * ROWS // 32, **LONG)
    config.timesteps = 4000  # T, the number of diffusion steps
    config.network = dict(dim=512, depth=12, heads=16, local_heads=8, window=80, dropout=0.0)
    config.network.update(dtype="float32", remat=False)
    config.network.exact_gelu = True
    config.optimizer = dict(learning_rate=1e-4, decay_per_epoch=0.99)
    return config


def build(config: ConfigDict) -> Experiment:
    """Plain composition: to change a part, change its line."""
    data = enwik8.load(length=320)
    kernel = kernels.uniform(schedules.reference_cosine(config.timesteps), enwik8.NUM_CLASSES)
    denoiser = networks.LinearTransformer(enwik8.NUM_CLASSES, **config.network)
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps)
    learning_rate = optax.exponential_decay(
        config.optimizer.learning_rate,
        transition_steps=ROWS // config.batch_size,
        decay_rate=config.optimizer.decay_per_epoch,
        staircase=True,
    )
    optimizer = optax.adam(learning_rate)
    return Experiment(model, objectives.ImportanceSampledElbo(model), optimizer, data)
