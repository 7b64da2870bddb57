"""Experiments side by side: rows that are trained, measured, tabled and drawn."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
