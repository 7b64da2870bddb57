"""The demo: a page on this machine that samples, corrects and fills gaps."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
