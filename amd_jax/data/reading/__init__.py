"""Readers of untrusted files: headers and sizes are checked before content is read."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
