"""Scores of samples that nonsense does not win, and the nonsense to try them on."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
