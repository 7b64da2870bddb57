"""A page to play with, on this machine: `python -m experiments.demo`."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
