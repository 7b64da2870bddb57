"""Multinomial diffusion that fills gaps in texts, on your own text file.

    python -m experiments.run --config=own_text_infilling --config.data.path=book.txt
    python -m experiments.run --config=own_text_infilling --mode=infill --text="the ____ of the"

As `own_text`, but the network is told which tokens are known, and is trained with random sets of
them: so gaps are filled with uniform noise too, by which a token may change its mind, and
--mode=correct is there as well. This file: not run.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text
from amd_jax.diffusion import kernels, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(
        batch_size=8,
        num_steps=7000,
        clip=1.0,
        checkpoint_every=1000,
        evaluate_every=800,
        log_every=50,
    )
    config.data = dict(path="", length=256, raw_bytes=False, min_count=1)
    config.timesteps = 1000  # T, the number of diffusion steps
    config.network = dict(width=128, blocks=2, dilations=(1,), heads=0, join_width=192)
    config.network.update(table_width=32, dtype="float32", remat=False, sees_known=True)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> text.Text:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_text_infilling needs a file. Give --config.data.path=book.txt")
    return text.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = kernels.uniform(schedules.cosine, facts.num_classes)
    denoiser = networks.Hollow(
        len(kernel.prior), log_frequencies=facts.log_frequencies, **config.network
    )
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps)
    objective = objectives.CrossEntropy(
        model, warp=objectives.mostly_early, known=objectives.random_known
    )
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objective, optimizer)
