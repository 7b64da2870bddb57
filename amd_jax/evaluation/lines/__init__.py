"""Lines of any length: which are valid, unique and new, and count models of them."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
