"""Experiment: the parts that one experiment file composes."""

import dataclasses
from typing import Any

import optax

from amd_jax.types import Model, Objective


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """What `build(config)` of an experiment file returns."""

    model: Model
    objective: Objective
    optimizer: optax.GradientTransformation
    data: Any  # data.dataset.Dataset: num_classes, event_shape, batch, rows, ...
