"""Mutual information of noisy and clean tokens, and schedules by which it falls evenly."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from amd_jax.diffusion import schedules
from amd_jax.diffusion.kernels.tables import Tabulated
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, Nats, Schedule, Times


def mutual(kernel: Kernel, p_0: Float[Array, "classes"], t: Times) -> Nats:
    """I(x_t; x_0) of one token, x_0 ~ p_0.

    Σ p_0(x_0) KL(q(x_t | x_0) || q(x_t)): at time 0 it is the entropy of p_0, and it never rises.
    Raises ValueError for a kernel with a prior of each token.
    """
    if kernel.prior.ndim > 1:
        raise ValueError(
            f"Information is that of one token; the kernel has priors {kernel.prior.shape} of "
            "each. Take a kernel of one token's prior."
        )
    p_0 = jnp.asarray(p_0)
    clean = jnp.eye(kernel.num_classes, kernel.prior.shape[-1])
    clean = jnp.broadcast_to(clean, (len(t), *clean.shape))
    q = kernel.push(clean, jnp.zeros_like(t), t)  # [b, x_0, x_t]
    return categorical.kl(q, (p_0[:, None] * q).sum(axis=-2, keepdims=True)) @ p_0


def even(family: Callable[[Schedule], Kernel], p_0: ArrayLike, steps: int) -> Schedule:
    """The schedule, in T steps, by which information falls evenly: I(x_i; x_0) = (1 - i / T) H.

    `family` makes a kernel of a schedule, p_0 is the law of clean tokens, H its entropy. For
    masks it is the linear one, whatever p_0 (Austin et al., 2021, app. A.7). It is a table
    (`schedules.tabulated`), found by halving. Raises ValueError if p_0 is no such law.
    """
    kernel = family(lambda t: schedules.LOG_ALPHA_END * t)
    law = _law(p_0, kernel)
    left = 1 - jnp.arange(1, steps) / steps
    full = mutual(kernel, law, jnp.zeros(1))[0]

    def time(share: Array) -> Array:
        def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = (low + high) / 2
            early = mutual(kernel, law, middle[None])[0] > share * full
            return jnp.where(early, middle, low), jnp.where(early, high, middle)

        low, high = jax.lax.fori_loop(0, 40, halve, (jnp.zeros(()), jnp.ones(())))
        return (low + high) / 2

    times = jax.lax.map(time, left, batch_size=64)
    log_alpha = schedules.LOG_ALPHA_END * np.array([0.0, *np.asarray(times), 1.0])
    return schedules.tabulated(np.minimum.accumulate(log_alpha))  # but for rounding it falls


def retimed(kernel: Tabulated, p_0: ArrayLike, steps: int) -> Tabulated:
    """A table of T steps, each some steps of a finer one, by which information falls evenly.

    As evenly as the finer one allows, in T of its own steps or less; T steps of which some may be
    no step at all. Raises ValueError for more steps than it has, or if p_0 is no law of its
    clean tokens.
    """
    if not 1 <= steps <= kernel.steps:
        raise ValueError(f"steps must be in [1, {kernel.steps}], those of the table; got {steps}.")
    fine = jnp.arange(kernel.steps + 1) / kernel.steps
    nats = np.asarray(mutual(kernel, _law(p_0, kernel), fine), np.float64)
    wanted = nats[0] * (1 - np.arange(steps) / steps)
    ends = [abs(nats - share).argmin() for share in wanted] + [kernel.steps]
    matrices = np.asarray(kernel.matrix(fine[np.array(ends[:-1])], fine[np.array(ends[1:])]))
    matrices = matrices / matrices.sum(axis=-1, keepdims=True, dtype=np.float64)
    return Tabulated(matrices, kernel.prior, kernel.num_classes)


def _law(p_0: ArrayLike, kernel: Kernel) -> Array:
    """p_0 as an array; ValueError unless it is a law of the kernel's classes, of some entropy."""
    law = np.asarray(p_0, np.float64)
    fits = law.shape == (kernel.num_classes,) and law.min() >= 0 and abs(law.sum() - 1) < 1e-4
    if not fits or law.max() > 1 - 1e-6:
        raise ValueError(
            f"Information is that of a law of {kernel.num_classes} classes, which sums to 1 and "
            f"has no class of probability 1; got {law}."
        )
    return jnp.asarray(law / law.sum(), jnp.float32)
