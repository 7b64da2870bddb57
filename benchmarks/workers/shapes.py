"""What an experiment trains, told by shapes: nothing is read, and nothing computed."""

from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from amd_jax import Experiment
from amd_jax.data import bayesian_networks, cityscapes, corpora, digits
from amd_jax.facts import Facts, LineFacts, MapFacts, TextFacts, TokenFacts
from amd_jax.learning import training_step
from amd_jax.learning.loop import Parts
from benchmarks.processes import ROOT

OWN_MAPS = (8, (32, 64))  # classes and sides of maps that a user would give
OWN_TOKENS = 50_257  # classes of tokens that a user would give: GPT-2's
OWN_LINES = (26, 57)  # characters, and those of the longest line, of molecules


def opened(name: str) -> Experiment:
    """The experiment of that name, which may have a variant after a colon."""
    name, *variant = name.split(":")
    return Experiment.open(":".join([str(ROOT / "experiments" / f"{name}.py"), *variant]))


def stand_in(experiment: Experiment, config: ConfigDict) -> Facts:
    """The facts of data that need not be there: all classes are of one frequency.

    Those that are made up on the spot are asked themselves.
    """
    asked = config.get("data", {})
    if "longer" in asked:
        number, longest = OWN_LINES
        symbols = "".join(map(chr, range(ord("a"), ord("a") + number)))
        shares = (1 / (number + 1),) * (number + 1)
        return LineFacts.of(symbols, (1 / longest,) * longest, frequencies=shares)
    if "columns" in asked:
        return bayesian_networks.clinic().facts
    if "vocab_size" in asked:
        number = asked.vocab_size or OWN_TOKENS
        return TokenFacts(number, (asked.length,), frequencies=(1 / number,) * number)
    if "length" in asked:
        number = corpora.named(asked.get("corpus", "text8")).NUM_CLASSES
        return TextFacts(number, (asked.length,), frequencies=(1 / number,) * number)
    if "num_classes" in asked:
        number, shape = OWN_MAPS
    elif "path" in asked:
        number, shape = digits.NUM_CLASSES, (digits.SIDE, digits.SIDE)
    else:
        try:
            return experiment.open_data(config).facts
        except cityscapes.ArchiveError:  # which only registered users can fetch
            number, shape = cityscapes.NUM_CLASSES, cityscapes.ARCHIVE.event_shape
    palette = tuple((k, k, k) for k in range(number))
    return MapFacts(number, shape, frequencies=(1 / number,) * number, palette=palette)


def state(parts: Parts, facts: Facts) -> tuple[Any, Any]:
    """The state of training, and the key that goes into every step."""

    def init(rng, x):
        return training_step.init_state(parts.objective, parts.optimizer, parts.model.init(rng, x))

    rng = jax.eval_shape(lambda: jax.random.key(0))
    x = jax.ShapeDtypeStruct((2, *facts.event_shape), np.int32)
    return jax.eval_shape(init, rng, x), rng


def batch(facts: Facts, *rows: int) -> jax.ShapeDtypeStruct:
    """Rows (*rows, *event_shape), in the type in which a data set gives them."""
    kind = np.uint8 if facts.num_classes <= 256 else np.int32
    return jax.ShapeDtypeStruct((*rows, *facts.event_shape), kind)


def train_step(parts: Parts, config: ConfigDict, devices: Any) -> Any:
    """The step that `experiments.run` would take."""
    numbers = config.ema_decay, config.accumulate, config.clip, config.log_every
    return training_step.make_train_step(parts.objective, parts.optimizer, *numbers, devices)
