"""Argmax flow on Cityscapes' segmentation maps (Hoogeboom et al., 2021).

    python -m experiments.run --config=experiments/cityscapes_argmax.py

--config.inverse says how categories are lifted: softplus, gumbel or gumbel_threshold. Paper, bits
per pixel: 0.303, 0.365 and 0.307 (ELBO), 0.290, 0.341 and 0.287 (IWBO of 1000 draws). This file:
not run. The sizes of the DenseNets are not in the paper and were never released: those here are a
guess.

A smaller one, for a CPU: add --config.levels=3 --config.couplings=2 --config.batch_size=8
--config.network.depth=2 --config.network.growth=16 --config.num_steps=200 --num_texts=64
"""

import functools

import numpy as np
import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import cityscapes
from amd_jax.ops import scalars
from amd_jax.training import objectives
from amd_jax.training.experiment import LONG, Experiment, numbers
from amd_jax.transforms import argmax, conditional, laws, multiscale

K, MAPS = cityscapes.NUM_CLASSES, 2500  # categories, and maps in the training split
AFFINE = scalars.Affine(bound=2.0)


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=64, num_steps=2000 * MAPS // 64, **LONG)
    config.inverse = "softplus"
    config.levels, config.couplings = 4, 10  # of the density: resolutions, and layers at each
    config.network = dict(blocks=1, growth=64, depth=10, width=128)  # of its couplings
    config.network.update(dtype="float32", remat=False)
    config.encoder = dict(couplings=8, context=32)
    config.encoder.network = dict(blocks=1, growth=32, depth=4, width=64)
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=10 * MAPS // 64)
    return config


def build(config: ConfigDict) -> Experiment:
    """Plain composition: to change a part, change its line."""
    data = cityscapes.load()
    conditioners = functools.partial(networks.DenseNet, **config.network)
    readers = functools.partial(networks.DenseNet, **config.encoder.network)
    context, couplings = config.encoder.context, config.encoder.couplings
    features = networks.MapContext(K, readers(context))
    log_frequencies = tuple(np.log(data.frequencies()).tolist())
    phi = networks.MapContext(K, readers(K), start=log_frequencies)

    def encoder(family: laws.Family) -> conditional.ConditionalFlow:
        parts = (features, context, (K,), couplings, readers, AFFINE)
        return conditional.couplings(laws.Fixed(family), *parts)

    inverses = {
        "softplus": lambda: argmax.Argmax(encoder(laws.NORMAL)),
        "gumbel": lambda: argmax.GumbelArgmax(K, phi),
        "gumbel_threshold": lambda: argmax.GumbelThreshold(
            encoder(laws.LOGISTIC), np.array(log_frequencies)
        ),
    }
    if config.inverse not in inverses:
        raise ValueError(
            f"--config.inverse is one of {', '.join(inverses)}; got {config.inverse!r}."
        )
    base, sizes = laws.Learned(laws.NORMAL), (config.levels, config.couplings)
    density = multiscale.glow(K, *sizes, conditioners, AFFINE, base)
    model = models.Flow((inverses[config.inverse](), *density), base)
    rate, warmup = config.optimizer.learning_rate, config.optimizer.warmup_steps
    optimizer = optax.adamax(optax.linear_schedule(0.0, rate, warmup))
    return Experiment(model, objectives.NegativeElbo(model), optimizer, data)
