"""Denoisers and other linen modules; the only room that imports flax.linen."""
