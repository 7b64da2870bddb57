"""Gaussian diffusion on your own text file, in continuous time (Kingma et al., 2021).

    python -m experiments.run --config=experiments/own_text_gaussian.py --config.data.path=book.txt

As `own_text` in all but the noise: characters are one-hots of real numbers, noise is added to
these, and at the end a character is read off them. --sampler=ddim draws no noise on the way.
On 3 MB of Wikipedia text, 25 minutes of one CPU core: 2.668 bits/char of test text.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text
from amd_jax.diffusion import gaussian
from amd_jax.diffusion.gaussian import noise_schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(
        batch_size=8,
        num_steps=5000,
        clip=1.0,
        checkpoint_every=1000,
        evaluate_every=800,
        log_every=50,
    )
    config.data = dict(path="", length=256, raw_bytes=False, min_count=1)
    config.levels = dict(first=-5.0, last=7.0)  # γ of the least and the most noise
    config.sampling_steps = 256
    config.network = dict(width=128, blocks=2, dilations=(1,), heads=0, join_width=192)
    config.network.update(table_width=32, dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> text.Text:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_text_gaussian needs a file. Give --config.data.path=book.txt")
    return text.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    points, steps = gaussian.one_hots(facts.num_classes), config.sampling_steps
    denoiser = networks.Hollow(
        len(points), log_frequencies=facts.log_frequencies, **config.network
    )
    samplers = (gaussian.samplers.Ancestral(steps), gaussian.samplers.DDIM(steps))
    noise = noise_schedules.Linear(**config.levels)
    model = models.GaussianDiffusion(points, denoiser, noise, steps=None, samplers=samplers)
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.CrossEntropy(model), optimizer)
