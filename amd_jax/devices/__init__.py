"""What the library runs on: compilers and their known faults."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
