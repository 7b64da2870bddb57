"""Diffusion of maps whose classes have an order, as grey levels: noise moves to levels near by.

    python -m experiments.run --config=experiments/own_maps_ordinal.py --config.data.path=FOLDER

As `own_maps` in all but the noise: a pixel moves to another level at a rate that falls with their
distance like a Gaussian of --config.reach levels (Austin et al., 2021, app. A.2.3, has the same by
a matrix for each step), so that on its way to noise it stays near what it was for long. This file:
not run.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import maps
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.kernels import rate_matrices
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=4, num_steps=4000, clip=1.0, evaluate_every=500)
    config.data = dict(path="", num_classes=0, augment=True, palette=(), void=-1, size=())
    config.reach = 1.0  # levels; the standard deviation of the rates
    config.timesteps = 1000  # T, the number of diffusion steps
    config.network = dict(width=64, dilations=(1, 2), window=3, join_width=96, join_blocks=2)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> maps.Maps:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_maps_ordinal needs a folder or file. Give --config.data.path=FOLDER")
    return maps.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = kernels.Generator(
        rate_matrices.gaussian(facts.num_classes, config.reach), schedules.cosine
    )
    denoiser = networks.HollowMap(
        len(kernel.prior), log_frequencies=facts.log_frequencies, **config.network
    )
    quick = samplers.Ancestral(steps=min(100, config.timesteps))  # unless --steps says otherwise
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps, samplers=(quick,))
    objective = objectives.CrossEntropy(model)
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objective, optimizer)
