"""Argmax flow on eight quantised Gaussians: density and samples as a picture in two minutes.

    python -m experiments.run --config=experiments/eight_gaussians.py

Hoogeboom et al., 2021 (toy). Two CPU cores: 111 s in all, 5.208 ± 0.012 bits/coordinate
on test points, whose law has 5.154.
"""

import optax
from ml_collections import ConfigDict

from amd_jax import networks, recipes
from amd_jax.data import toy
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(
        batch_size=512, num_steps=1500, ema_decay=0.99, evaluate_texts=500, log_every=50
    )
    config.num_classes = 91  # cells along a side
    config.network = dict(features=64, layers=1, components=8)
    config.network.update(dtype="float32")
    config.encoder = dict(width=64, layers=2, context=64)
    config.optimizer = dict(learning_rate=3e-3)
    return config


def data(config: ConfigDict) -> toy.Toy:
    """What is learnt from; sampling does without."""
    return toy.eight_gaussians(config.num_classes)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes/paper.py`."""
    lift = recipes.argmax_lift(networks.PointwiseContext, facts.num_classes, 2, config.encoder)
    model = recipes.autoregressive_flow(lift, networks.AutoregressiveLSTM(**config.network))
    decay = optax.cosine_decay_schedule(config.optimizer.learning_rate, config.num_steps)
    optimizer = optimizers.scheduled(optax.adam, decay)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
