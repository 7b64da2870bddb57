"""Multinomial diffusion on segmentation maps of Cityscapes (Hoogeboom et al., 2021, sec. 5).

    python -m experiments.run --config=experiments/cityscapes_diffusion.py

Paper: 0.305 bits/pixel on the test maps. This file: not run. Without the archive, which registered
users may download, the command says where to put it.

A smaller one on a coarser grid, for a CPU: add --config.network.dim=16 --config.batch_size=16
--config.num_steps=400 --num_texts=64 --steps=50 --grid=50
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import cityscapes, maps
from amd_jax.diffusion import kernels, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers

ROWS = 2500  # maps in the training split


def get_config() -> ConfigDict:
    """The paper's numbers; everything here can be overridden from the command line."""
    config = numbers(
        batch_size=64,
        num_steps=500 * ROWS // 64,
        checkpoint_every=1000,
        evaluate_every=1000,
        evaluate_texts=475,
    )
    config.timesteps = 4000  # T, the number of diffusion steps
    config.network = dict(dim=64, multipliers=(1, 2, 4, 8), heads=4, groups=8, dropout=0.1)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(learning_rate=1e-4, warmup_steps=5)
    return config


def data(config: ConfigDict) -> maps.Maps:
    """What is learnt from; sampling does without."""
    return cityscapes.load()


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = kernels.uniform(schedules.reference_cosine(config.timesteps), facts.num_classes)
    denoiser = networks.UNet(len(kernel.prior), **config.network)
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps)
    rise = optimizers.rise(config.optimizer.learning_rate, config.optimizer.warmup_steps)
    optimizer = optimizers.scheduled(optax.adam, rise)
    return Parts(model, objectives.ImportanceSampledElbo(model), optimizer)
