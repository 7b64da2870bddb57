"""Integer discrete flow on scikit-learn's handwritten digits: 8 x 8 pixels in 17 grey levels.

    python -m experiments.run --config=experiments/digits_idf.py

Needs scikit-learn (pip install 'amd_jax[digits]'), or --config.data.path=digits.csv.gz. The last
297 digits are the test split, the 100 before them validation. Hoogeboom et al., 2019, work on
photographs. This file: not run to its end.
"""

import optax
from ml_collections import ConfigDict

from amd_jax import recipes
from amd_jax.data import digits, maps
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=64, num_steps=3000, ema_decay=0.99, evaluate_every=500)
    config.data = dict(path="")
    config.flow = dict(levels=2, steps=2, components=5, share=4)
    config.flow.unit = 2.0  # grey levels: what networks count in, and the first scale of laws
    config.network = dict(blocks=1, growth=16, depth=2, width=32)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(learning_rate=0.02)
    return config


def data(config: ConfigDict) -> maps.Maps:
    """What is learnt from; sampling does without."""
    return digits.load(config.data.path)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes/baselines.py`."""
    model = recipes.integer_flow(facts.num_classes, network=config.network, **config.flow)
    decay = optax.cosine_decay_schedule(config.optimizer.learning_rate, config.num_steps)
    optimizer = optimizers.scheduled(optax.adamax, decay)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
