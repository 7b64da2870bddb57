"""Forward processes on categories and their reversal; no networks."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
