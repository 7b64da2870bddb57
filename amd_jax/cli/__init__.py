"""The command line: flags, choices, inputs, modes, and how a command ends."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
