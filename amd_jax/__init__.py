"""Argmax flows and multinomial diffusion (Hoogeboom et al., 2021), in JAX and Flax.

Five nouns, all frozen dataclasses of pure functions: Kernel, Transform, Law, Model, Objective.
The rooms (`amd_jax.diffusion`, `amd_jax.models`, ...) and what reads and trains runs are imported
when they are first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from amd_jax import moved
from amd_jax.devices.compiler import avoid_known_faults, check_backend
from amd_jax.lazy import submodules

if TYPE_CHECKING:  # for editors and type checkers, which do not ask __getattr__
    from amd_jax import (
        data,
        devices,
        diffusion,
        evaluation,
        experiment,
        exports,
        facts,
        learning,
        models,
        networks,
        ops,
        options,
        plotting,
        pretrained,
        recipes,
        runs,
        tables,
        transforms,
        types,
    )
    from amd_jax.experiment import Experiment, Run, load_run, open_run

__version__ = "0.1.0"
REPOSITORY = "https://github.com/amd-jax/amd_jax"  # the public one

__all__ = [
    "Experiment",
    "Run",
    "check_backend",
    "data",
    "devices",
    "diffusion",
    "evaluation",
    "experiment",
    "exports",
    "facts",
    "learning",
    "load_run",
    "models",
    "networks",
    "open_run",
    "ops",
    "options",
    "plotting",
    "pretrained",
    "recipes",
    "runs",
    "tables",
    "transforms",
    "types",
]

moved.install()
avoid_known_faults()  # here, since XLA reads its flags when JAX computes for the first time


def __getattr__(name: str) -> Any:
    """A room, or one of the names that stand for all of them."""
    if name in ("Experiment", "Run", "load_run", "open_run"):
        return getattr(importlib.import_module("amd_jax.experiment"), name)
    return _room(name)


_room, _ = submodules(__name__, __path__)


def __dir__() -> list[str]:
    """What is public."""
    return __all__
