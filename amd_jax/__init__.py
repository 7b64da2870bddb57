"""Argmax flows and multinomial diffusion (Hoogeboom et al., 2021), in JAX and Flax.

Five nouns, all frozen dataclasses of pure functions: Kernel, Transform, Law, Model, Objective.
Import the rooms you need, for example `from amd_jax.diffusion import kernels, schedules`; this
module imports none of them.
"""

__version__ = "0.1.0"
