"""Samplers: ways from noise to data, for any process.

Each is a value with a name and its numbers (`options`). It is called with a process, a key, noisy
tokens x (B, ...) and the times (S + 1,) to walk, which descend within [0, 1]. Some go from time to
time and draw all tokens at once (`ancestral`), those for masks from token to token (`unmasking`).
What its law is, compared with the exact one, is said in each docstring, for the exact guess r:
p(x_0[n] | x_t without n).
"""

from amd_jax.diffusion.samplers.ancestral import (
    ALL,
    Ancestral,
    Euler,
    PredictorCorrector,
    TauLeaping,
    check,
    of,
)
from amd_jax.diffusion.samplers.base import Steps
from amd_jax.diffusion.samplers.dilated import Dilated
from amd_jax.diffusion.samplers.guided import Guided
from amd_jax.diffusion.samplers.remasking import Remasking
from amd_jax.diffusion.samplers.time_grids import best_grid, grid
from amd_jax.diffusion.samplers.twisted import Twisted
from amd_jax.diffusion.samplers.unmasking import DNDM, Confidence, EntropyBound, FirstHitting

__all__ = [
    "ALL",
    "DNDM",
    "Ancestral",
    "Confidence",
    "Dilated",
    "EntropyBound",
    "Euler",
    "FirstHitting",
    "Guided",
    "PredictorCorrector",
    "Remasking",
    "Steps",
    "TauLeaping",
    "Twisted",
    "best_grid",
    "check",
    "grid",
    "of",
]
