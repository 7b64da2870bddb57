"""Diffusion that drops and inserts tokens: lines of any length without a canvas of noise."""

from amd_jax.diffusion.insertion.alignments import Alignments, align

__all__ = ["Alignments", "align"]
