"""Tables: baselines with exact bits, and measures of sampled rows beside real ones."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
