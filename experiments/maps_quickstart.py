"""Multinomial diffusion on maps that are drawn from a seed: from nothing to a picture of samples.

    python -m experiments.run --config=experiments/maps_quickstart.py
    python -m experiments.run --config=experiments/maps_quickstart.py:squares

Streets: 407 s of CPU time in all, no download, 0.233 ± 0.002 bits/pixel on test maps.
Squares, with a smaller network: 93 s in all, 0.082 ± 0.002 bits/pixel.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import maps, scenes
from amd_jax.diffusion import kernels, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers

SCENES = {"streets": scenes.streets, "squares": scenes.squares}


def get_config(scene: str = "streets") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=4, num_steps=500, clip=1.0, checkpoint_every=250)
    config.data = dict(scene=scene, height=32, width=64)
    config.timesteps = 100  # T, the number of diffusion steps
    config.network = dict(width=64, dilations=(1, 2), window=3, join_width=96, join_blocks=2)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    if scene == "squares":
        config.update(batch_size=8, num_steps=300, checkpoint_every=100)
        config.data.width = 32
        config.network.update(width=32, dilations=(1,), join_width=48, join_blocks=1)
    return config


def data(config: ConfigDict) -> maps.Maps:
    """What is learnt from; sampling does without."""
    if config.data.scene not in SCENES:
        raise ValueError(f"A scene is one of {', '.join(SCENES)}; got {config.data.scene!r}.")
    return SCENES[config.data.scene](config.data.height, config.data.width)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = kernels.uniform(schedules.cosine, facts.num_classes)
    denoiser = networks.HollowMap(
        len(kernel.prior), log_frequencies=facts.log_frequencies, **config.network
    )
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps)
    objective = objectives.CrossEntropy(model, warp=objectives.mostly_early)
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objective, optimizer)
