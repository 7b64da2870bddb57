"""Sets whose entropy is known, by a flow that does not see their order (Lippe and Gavves, 2021).

    python -m experiments.run --config=experiments/set_shuffling.py
    python -m experiments.run --config=experiments/set_shuffling.py:summation

Permutations of --config.size classes; or so many numbers with the sum --config.total. Paper, 16
classes: 2.78 bits/element of the 2.77 that are possible, and 2.24 of 2.24 for the sum 42.

With --config.couplings=0 one autoregressive layer, which sees the order: classes lie on a line.
This file: not run; `known_answers` reaches 2.768 with such a layer.
"""

from ml_collections import ConfigDict

from amd_jax import networks, recipes
from amd_jax.data import sets
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers
from amd_jax.transforms import laws


def get_config(task: str = "shuffling") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    check(task)
    config = numbers(batch_size=64, num_steps=10_000, clip=100.0, ema_decay=0.99)
    config.update(evaluate_every=1000, evaluate_texts=500, log_every=100)
    config.size = 5 if task == "shuffling" else 16
    config.task, config.total = task, 42  # the sum, where that is the task
    config.couplings, config.dim = 4, 4  # layers; numbers that stand for an element there
    config.network = dict(width=32, blocks=2, heads=4, components=4)  # of each
    config.past = dict(width=64, blocks=1, heads=4, components=32)  # without couplings
    config.optimizer = dict(learning_rate=4e-3, warmup_steps=100)
    return config


def check(task: str) -> None:
    """Raises ValueError for another task."""
    if task not in ("shuffling", "summation"):
        raise ValueError(f"A task is shuffling or summation; got {task!r}.")


def data(config: ConfigDict) -> sets.Sets:
    """What is learnt from; sampling does without."""
    check(config.task)
    if config.task == "summation":
        return sets.summation(config.size, config.total)
    return sets.shuffling(config.size)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes`."""
    if config.couplings:
        lift = recipes.mixture_encoding(facts.log_frequencies, config.dim, apart=2.0)
        model = recipes.set_flow(lift, config.dim, config.couplings, config.network)
    else:
        lift = recipes.mixture_encoding(facts.log_frequencies, 1, apart=8.0)
        past = networks.AutoregressiveTransformer(**config.past)
        model = recipes.autoregressive_flow(lift, past, laws.Fixed(laws.LOGISTIC))
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
