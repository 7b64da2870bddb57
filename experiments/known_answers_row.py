"""One family of models on a toy whose entropy is known, at a size for minutes on two CPU cores.

    python -m experiments.run --config=known_answers_row:ring --config.family=diffusion

After the colon: ring (eight Gaussians on a grid of 91 x 91), xor (two bits), potts (a square of
3 x 3), waves (two integers), or letters (a Markov chain of 27). All families on all toys with one
command: `python -m experiments.known_answers`.
"""

from collections.abc import Callable

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks, recipes
from amd_jax.data import toy
from amd_jax.diffusion import kernels, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers
from amd_jax.types import Model

TOYS = {
    "ring": toy.ring,
    "xor": toy.xor,
    "potts": toy.potts,
    "waves": toy.waves,
    "letters": toy.markov,
}


def get_config(name: str = "ring") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=512, num_steps=1500, ema_decay=0.99, clip=1.0, log_every=50)
    config.toy = name
    config.family = "diffusion"
    config.width = 64  # of every network
    config.learning_rate = 3e-3
    return config


def data(config: ConfigDict) -> toy.Toy:
    """What is learnt from; sampling does without."""
    if config.toy not in TOYS:
        raise ValueError(f"A toy is one of {', '.join(TOYS)}; got {config.toy!r}.")
    return TOYS[config.toy]()


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The family that the config names."""
    if config.family not in FAMILIES:
        raise ValueError(f"A family is one of {', '.join(FAMILIES)}; got {config.family!r}.")
    model = FAMILIES[config.family](config, facts)
    decay = optax.cosine_decay_schedule(config.learning_rate, config.num_steps)
    optimizer = optimizers.scheduled(optax.adam, decay)
    return Parts(model, objectives.NegativeElbo(model), optimizer)


def argmax_flow(config: ConfigDict, facts: Facts) -> models.Flow:
    """One autoregressive layer of logistic mixtures over K numbers a token."""
    encoder = dict(width=config.width, layers=2, context=config.width)
    lift = recipes.argmax_lift(networks.PointwiseContext, facts.num_classes, 2, encoder)
    network = dict(features=config.width, layers=1, components=8, dtype="float32")
    return recipes.autoregressive_flow(lift, network)


def diffusion(config: ConfigDict, facts: Facts) -> models.Diffusion:
    """Multinomial diffusion in continuous time, by a network that leaves the own token out."""
    kernel = kernels.uniform(schedules.cosine, facts.num_classes)
    network = dict(width=config.width, blocks=1, join_width=config.width, join_blocks=2, taps=3)
    denoiser = networks.Hollow(facts.num_classes, log_frequencies=facts.log_frequencies, **network)
    return models.Diffusion(kernel, denoiser, steps=None)


FAMILIES: dict[str, Callable[[ConfigDict, Facts], Model]] = {
    "argmax_flow": argmax_flow,
    "diffusion": diffusion,
}
