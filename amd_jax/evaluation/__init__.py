"""Likelihoods, infilling, and pictures of what a trained model does."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
