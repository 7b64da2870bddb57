"""Diffusion that drops and inserts tokens: lines of any length, without a canvas of noise."""

from amd_jax.diffusion.insertion.alignments import Alignments, align
from amd_jax.diffusion.insertion.process import Guess, Process, compacted, shares

from amd_jax.diffusion.insertion import bounds, samplers  # isort: skip

__all__ = ["Alignments", "Guess", "Process", "align", "bounds", "compacted", "samplers", "shares"]
