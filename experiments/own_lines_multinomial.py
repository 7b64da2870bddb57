"""Multinomial diffusion on your own lines of any length, uniform noise of their characters.

    python -m experiments.run --config=experiments/own_lines_multinomial.py \
        --config.data.path=molecules.smi

As `own_lines` in all but the noise: a token is redrawn from all characters, a label from all
labels (Hoogeboom et al., 2021, sec. 4). The padding is never noise.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import lines
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import LineFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops.lines import Lines


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=32, num_steps=4000, clip=1.0, ema_decay=0.999)
    config.update(checkpoint_every=1000, evaluate_every=500, evaluate_texts=1000, log_every=50)
    config.data = dict(path="", length=0, column="", label="", longer="drop", min_count=1)
    config.data.update(validity="", test_path="", tokens="")
    config.timesteps, config.sampling_steps = 1000, 100
    config.network = dict(width=128, blocks=3, dilations=(1, 2, 4), heads=4, join_width=160)
    config.network.update(dropout=0.0, dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=4e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> lines.Lines:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError(
            "own_lines_multinomial needs a file. Give --config.data.path=molecules.smi"
        )
    return lines.load(**config.data)


def build(config: ConfigDict, facts: LineFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    support = Lines.of(facts)
    kernel = kernels.uniform_within(schedules.cosine, support.each(facts.num_classes))
    denoiser = networks.Hollow(
        facts.num_classes, log_frequencies=facts.log_frequencies, **config.network
    )
    sampler = samplers.Ancestral(steps=config.sampling_steps)
    model = models.Diffusion(kernel, denoiser, config.timesteps, (sampler,), support)
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.CrossEntropy(model), optimizer)
