"""Models: the only places where parts meet parameters."""

from amd_jax.models.diffusion import Diffusion

__all__ = ["Diffusion"]
