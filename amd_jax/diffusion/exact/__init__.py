"""Laws of processes and samplers by enumeration, at few tokens and classes."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
