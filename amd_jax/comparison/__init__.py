"""Trains and measures experiments side by side, and draws tables and charts of them."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
