"""Kernels: forward processes on K states, and what follows from any of them by Bayes' rule."""

from amd_jax.diffusion.kernels.augmented import AugmentedUniform
from amd_jax.diffusion.kernels.bayes import (
    Denoised,
    corrupt,
    denoising_posterior,
    draw_prior,
    init,
    is_masking,
    leave_own_out,
    log_joint,
    log_leave_own_out,
    log_posterior,
    log_push,
    opened,
    paced,
    plain,
    posterior,
    rates,
    reverse_rates,
    shows_noise,
    step_back,
)
from amd_jax.diffusion.kernels.mixtures import (
    MasksAndUniform,
    Mixing,
    Mixture,
    absorbing,
    masks_and_uniform,
    mixing,
    uniform,
)
from amd_jax.diffusion.kernels.rate_matrices import Generator
from amd_jax.diffusion.kernels.tables import Tabulated
from amd_jax.diffusion.schedules import differentiable

__all__ = [
    "AugmentedUniform",
    "Denoised",
    "Generator",
    "MasksAndUniform",
    "Mixing",
    "Mixture",
    "Tabulated",
    "absorbing",
    "corrupt",
    "denoising_posterior",
    "differentiable",
    "draw_prior",
    "init",
    "is_masking",
    "leave_own_out",
    "log_joint",
    "log_leave_own_out",
    "log_posterior",
    "log_push",
    "masks_and_uniform",
    "mixing",
    "opened",
    "paced",
    "plain",
    "posterior",
    "rates",
    "reverse_rates",
    "shows_noise",
    "step_back",
    "uniform",
]
