"""Models: the only places where parts meet parameters."""

from amd_jax.models.diffusion import Diffusion
from amd_jax.models.flow import Flow, Inverse

__all__ = ["Diffusion", "Flow", "Inverse"]
