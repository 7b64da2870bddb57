"""One family of models on a toy whose entropy is known, at a size for minutes on two CPU cores.

    python -m experiments.run --config=known_answers_row:ring --config.family=diffusion

After the colon: ring (eight Gaussians on a grid of 91 x 91), xor (two bits), potts (a square of
3 x 3), waves (two integers), letters (a Markov chain of 27), shuffling, shuffling_16
and summation (sets), network (a table from a Bayesian network, or from that in a BIF file:
--config.path=alarm.bif.gz). All families on all toys with one command:
`python -m experiments.known_answers`.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks, recipes
from amd_jax.data import bayesian_networks, sets, toy
from amd_jax.diffusion import gaussian, kernels, samplers, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts, TableFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops import modular, rounding
from amd_jax.ops.columns import Columns
from amd_jax.transforms import conditioner, coupling, discrete, integer, laws
from amd_jax.types import Model, Objective

STEPS = 64  # of a diffusion's samples
TOYS = {
    "ring": toy.ring,
    "xor": toy.xor,
    "potts": toy.potts,
    "waves": toy.waves,
    "letters": toy.markov,
    "shuffling": functools.partial(sets.shuffling, 5),
    "shuffling_16": sets.shuffling,
    "summation": sets.summation,
    "network": bayesian_networks.clinic,
}


def get_config(name: str = "ring") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    rows = 32 if name == "letters" else 256  # of 64, and short ones
    config = numbers(batch_size=rows, num_steps=1500, ema_decay=0.99, clip=100.0, log_every=50)
    config.toy = name
    config.path = ""  # of the toy network: a .bif or .bif.gz in place of the built-in one
    config.family = "diffusion"
    config.width = 64  # of every network
    config.temperature = 1.0  # of the gradient of a discrete flow
    config.rate = 1.0  # times the family's own learning rate
    return config


def data(config: ConfigDict) -> toy.Toy:
    """What is learnt from; sampling does without."""
    if config.toy not in TOYS:
        raise ValueError(f"A toy is one of {', '.join(TOYS)}; got {config.toy!r}.")
    if config.toy == "network" and config.path:
        return bayesian_networks.of_file(config.path)
    return TOYS[config.toy]()


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The family that the config names."""
    if config.family not in FAMILIES:
        raise ValueError(f"A family is one of {', '.join(FAMILIES)}; got {config.family!r}.")
    family = FAMILIES[config.family]
    model = family.compose(config, facts)
    decay = optax.cosine_decay_schedule(config.rate * family.learning_rate, config.num_steps)
    return Parts(model, family.objective(model), optimizers.scheduled(optax.adam, decay))


def autoregressive(config: ConfigDict, facts: Facts) -> models.Autoregressive:
    """A causal Transformer."""
    taps = min(9, math.prod(facts.event_shape))
    network = dict(width=config.width, blocks=1, heads=2, taps=taps)
    return models.Autoregressive(networks.CausalTransformer(facts.num_classes, **network))


def argmax_flow(config: ConfigDict, facts: Facts) -> models.Flow:
    """Bits of the classes as signs, and an autoregressive layer of logistic mixtures."""
    encoder = dict(width=config.width, layers=2, context=config.width)
    lift = recipes.argmax_lift(networks.PointwiseContext, facts.num_classes, 2, encoder)
    network = networks.AutoregressiveLSTM(features=config.width, components=8)
    return recipes.autoregressive_flow(lift, network)


def hollow(config: ConfigDict, facts: Facts) -> networks.Hollow:
    """The denoiser of both diffusions: it leaves the own token out."""
    network = dict(width=config.width, blocks=1, join_width=config.width, join_blocks=2)
    taps = min(5, math.prod(facts.event_shape) + 1)
    start = facts.log_frequencies
    return networks.Hollow(facts.num_classes, taps=taps, log_frequencies=start, **network)


def diffusion(config: ConfigDict, facts: Facts) -> models.Diffusion:
    """Multinomial diffusion in continuous time."""
    kernel = kernels.uniform(schedules.cosine, facts.num_classes)
    walk = (samplers.Ancestral(steps=STEPS),)
    return models.Diffusion(kernel, hollow(config, facts), steps=None, samplers=walk)


def masked_table(config: ConfigDict, facts: TableFacts) -> models.Diffusion:
    """Masked diffusion over the columns of a table."""
    kernel = kernels.absorbing(schedules.linear, facts.num_classes)
    network = dict(width=4 * config.width, blocks=3, embedding=16, sees_time=False)
    denoiser = networks.TableNet(facts.num_classes + 1, facts.sizes, **network)
    columns = Columns.of(facts)
    return models.Diffusion(kernel, denoiser, None, (samplers.FirstHitting(),), columns)


def causal_table(config: ConfigDict, facts: TableFacts) -> models.Autoregressive:
    """A Transformer over the columns of a table, each given those before it."""
    network = dict(width=2 * config.width, blocks=2)
    support = Columns.of(facts)
    return models.Autoregressive(
        networks.CausalTable(facts.num_classes, facts.sizes, **network), support=support
    )


def gaussian_diffusion(config: ConfigDict, facts: Facts) -> models.GaussianDiffusion:
    """Gaussian diffusion of one-hots in continuous time."""
    points, walk = gaussian.one_hots(facts.num_classes), (gaussian.samplers.Ancestral(STEPS),)
    return models.GaussianDiffusion(points, hollow(config, facts), steps=None, samplers=walk)


def discrete_flow(config: ConfigDict, facts: Facts) -> models.Flow:
    """One autoregressive layer of locations mod K on independent tokens."""
    network = networks.MADE(facts.num_classes, hidden=(), out_bias=False, spread=1.0)
    bijection = modular.Affine(facts.num_classes, temperature=config.temperature)
    layer = discrete.Autoregressive(network, bijection)
    return models.Flow((discrete.OneHot(facts.num_classes), layer), discrete.Product())


def integer_flow(config: ConfigDict, facts: Facts) -> models.Flow:
    """One coupling of whole numbers on independent discretised logistics."""
    unit = 8.0  # whole numbers
    network = conditioner.Scaled(networks.MLP(1, 2 * config.width), unit)
    layer = coupling.Coupling(network, rounding.Shift(unit), moving=1)
    base = laws.Learned(laws.DiscretizedLogistic(unit=3.0))
    return models.Flow((integer.Levels(facts.num_classes), layer), base)


def cnf(config: ConfigDict, facts: Facts) -> models.Flow:
    """Each class a logistic of its own on a line, and a causal layer of logistic mixtures."""
    lift = recipes.mixture_encoding(facts.log_frequencies, 1, apart=8.0)
    network = networks.AutoregressiveTransformer(config.width, components=32, blocks=1)
    return recipes.autoregressive_flow(lift, network, laws.Fixed(laws.LOGISTIC))


def set_cnf(config: ConfigDict, facts: Facts) -> models.Flow:
    """Each class a logistic of its own, and couplings that see no order."""
    lift = recipes.mixture_encoding(facts.log_frequencies, 4, apart=1.5)
    network = dict(width=config.width, blocks=2, heads=4, components=4)
    return recipes.set_flow(lift, 4, 4, network)


def latent_flow(config: ConfigDict, facts: Facts) -> models.Flow:
    """An auto-encoder whose prior is a flow, autoregressive over time and within a step."""
    (length,) = facts.event_shape
    network = dict(latents=4, width=config.width, layers=1, flows=3, hidden=config.width)
    return recipes.latent_flow("af_af", facts.num_classes, length, network)


class Family(NamedTuple):
    """How a model is composed of numbers and facts, and trained."""

    compose: Callable[[ConfigDict, Facts], Model]
    learning_rate: float
    objective: Callable[[Model], Objective] = objectives.NegativeElbo


FAMILIES = {
    "autoregressive": Family(autoregressive, 3e-3),
    "argmax_flow": Family(argmax_flow, 3e-3),
    "diffusion": Family(diffusion, 3e-3),
    "masked_table": Family(masked_table, 3e-3, objectives.CrossEntropy),
    "causal_table": Family(causal_table, 2e-3),
    "gaussian_diffusion": Family(gaussian_diffusion, 5e-3, objectives.CrossEntropy),
    "discrete_flow": Family(discrete_flow, 0.1),
    "integer_flow": Family(integer_flow, 0.01),
    "cnf": Family(cnf, 5e-3),
    "set_cnf": Family(set_cnf, 1e-3),
    "latent_flow": Family(latent_flow, 3e-3),
}
