"""The machine that a process runs on: its files, its memory, its terminal."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
