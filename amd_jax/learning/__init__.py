"""Learning: objectives, optimisers, the training step and its loop. It knows of no folders."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
