"""Models as files without code: arrays as safetensors, and all the rest as JSON."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
