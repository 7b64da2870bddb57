"""Multinomial diffusion on your own label maps.

    python -m experiments.run --config=experiments/own_maps.py --config.data.path=FOLDER

A folder of PNGs of one size, or an array (N, H, W) as .npy or .npz; the split is 90/5/5 in order
unless it is given, see `data/maps.load`. --config.data.void=255 makes that label a category of its
own, --config.data.size="(32, 64)" resizes. Where the PNGs are RGB, --config.data.palette names the
colour of every category, as "((0, 0, 0), (128, 64, 128))". On 2765 maps of land cover in 8
categories, with --config.num_steps=2000 --grid=100 and 20 minutes of CPU time: 0.504
bits/pixel on 336 test maps.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import maps
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=4, num_steps=4000, clip=1.0, evaluate_every=500)
    config.data = dict(path="", num_classes=0, augment=True, palette=(), void=-1, size=())
    config.timesteps = 1000  # T, the number of diffusion steps
    config.network = dict(width=64, dilations=(1, 2), window=3, join_width=96, join_blocks=2)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> maps.Maps:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_maps needs a folder or file. Give --config.data.path=FOLDER")
    return maps.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = kernels.uniform(schedules.cosine, facts.num_classes)
    denoiser = networks.HollowMap(
        len(kernel.prior), log_frequencies=facts.log_frequencies, **config.network
    )
    quick = samplers.Ancestral(steps=min(100, config.timesteps))  # unless --steps says otherwise
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps, samplers=(quick,))
    objective = objectives.CrossEntropy(model, warp=objectives.mostly_early)
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objective, optimizer)
