"""Pure mathematics, arrays in and arrays out; imports jax and numpy only."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
