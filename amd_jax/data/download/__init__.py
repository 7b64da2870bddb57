"""Published corpora: downloaded, verified and prepared once, by TFDS."""

from amd_jax.lazy import submodules

__getattr__, __dir__ = submodules(__name__, __path__)
