"""The folder of a run: what is in it, how it is kept whole, and how it is read again."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
