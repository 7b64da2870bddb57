"""Experiments: one file each, from which a run is trained and read again."""

from amd_jax.experiment.experiment import Experiment, Run, digests, load_run, open_run
from amd_jax.experiment.loaded_model import LoadedModel
from amd_jax.learning.config_values import LONG, numbers
from amd_jax.learning.loop import Parts

__all__ = [
    "LONG",
    "Experiment",
    "LoadedModel",
    "Parts",
    "Run",
    "digests",
    "load_run",
    "numbers",
    "open_run",
]
