"""`load_run`, where it has always been; it lives in `amd_jax.experiment`."""

from amd_jax.experiment import load_run

__all__ = ["load_run"]
