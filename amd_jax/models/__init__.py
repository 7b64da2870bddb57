"""Models: parts put together, as functions of their parameters."""

from amd_jax.models.autoregressive import Autoregressive
from amd_jax.models.block_diffusion import BlockDiffusion
from amd_jax.models.diffusion import Diffusion
from amd_jax.models.flow import Flow, Inverse
from amd_jax.models.gaussian import GaussianDiffusion
from amd_jax.models.insertion import Insertion
from amd_jax.models.long_memory import LongMemory

__all__ = [
    "Autoregressive",
    "BlockDiffusion",
    "Diffusion",
    "Flow",
    "GaussianDiffusion",
    "Insertion",
    "Inverse",
    "LongMemory",
]
