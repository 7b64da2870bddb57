"""Maps from data to latents with their log-likelihood contributions; no networks inside."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
