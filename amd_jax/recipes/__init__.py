"""Models composed of parts, shared by several experiments."""

from amd_jax.recipes.baselines import (
    LATENT_FLOWS,
    integer_flow,
    latent_flow,
    lattice,
    mixture_encoding,
    modular_autoregressive,
    modular_couplings,
    set_flow,
)
from amd_jax.recipes.paper import (
    LIFTS,
    argmax_lift,
    autoregressive_flow,
    coupling_flow,
    dequantized,
    map_flow,
)

__all__ = [
    "LATENT_FLOWS",
    "LIFTS",
    "argmax_lift",
    "autoregressive_flow",
    "coupling_flow",
    "dequantized",
    "integer_flow",
    "latent_flow",
    "lattice",
    "map_flow",
    "mixture_encoding",
    "modular_autoregressive",
    "modular_couplings",
    "set_flow",
]
