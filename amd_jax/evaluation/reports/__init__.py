"""Reports on a trained model, one for each kind of data."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
