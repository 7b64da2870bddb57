"""Data sets, each one file whose load(...) returns a Dataset; imports nothing of ours."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
