"""Schedules: plain functions from time t in [0, 1] to log α_t, the chance to keep a token.

log α_0 = 0 exactly, so the first step's KL is the decoder's negative log-likelihood, and
log α_1 = -30: finite, so nothing becomes NaN, and small, so x_1 forgets x_0.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from amd_jax.types import Array, Floats, Kernel, LearnedKernel, Schedule

LOG_ALPHA_END = -30.0
OFFSET = 0.008  # of the cosine, in units of time (Nichol and Dhariwal, 2021, sec. 3.2)


def cosine(t: Floats) -> Floats:
    """Log of cos(a + δ) / cos(a), with a + δ running from the offset's angle to π / 2.

    Written as log1p(-2 sin²(δ/2) - tan(a) sin δ): near t = 0 it keeps 1 - α_t to float32's
    limit, where the quotient of cosines loses three digits. Hoogeboom et al., 2021, sec. 4.
    """
    start = OFFSET / (1 + OFFSET) * jnp.pi / 2
    delta = t / (1 + OFFSET) * jnp.pi / 2
    return _log_one_minus(2 * jnp.sin(delta / 2) ** 2 + jnp.tan(start) * jnp.sin(delta))


def linear(t: Floats) -> Floats:
    """Log of 1 - t: a constant rate of information loss under masking (Austin et al., 2021)."""
    return _log_one_minus(t)


@dataclasses.dataclass(frozen=True, eq=False)
class Polynomial:
    """Log α with α_t = 1 - t ** power (Shi et al., 2024, sec. 3)."""

    power: float | Array

    def __call__(self, t: Floats) -> Floats:
        """Log α_t."""
        return _log_one_minus(t**self.power)


def polynomial(power: float | Float[Array, ""]) -> Schedule:
    """Schedule with α_t = 1 - t ** power, which may be learned (Shi et al., 2024, sec. 3)."""
    if not isinstance(power, jax.core.Tracer) and power <= 0:
        raise ValueError(f"polynomial needs power > 0; got {power}. Use 1.0 for linear.")
    return Polynomial(power)


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Log α at the grid point nearest to t. It is flat between them: it has no derivative."""

    log_alpha: Float[np.ndarray, "times"]  # at 0, 1/T, …, 1
    differentiable = False

    def __call__(self, t: Floats) -> Floats:
        """Log α_t."""
        end = len(self.log_alpha) - 1
        nearest = jnp.round(jnp.clip(t, 0, 1) * end).astype(jnp.int32)
        return jnp.asarray(self.log_alpha)[nearest]


def tabulated(log_alpha: Float[np.ndarray, "times"]) -> Schedule:
    """Schedule that looks up log α at the grid point nearest to t.

    Raises ValueError unless the table starts at 0 and never increases.
    """
    table = np.asarray(log_alpha)
    finite = table.ndim == 1 and len(table) > 1 and np.isfinite(table).all()
    if not finite or table[0] != 0 or np.any(np.diff(table) > 0):
        raise ValueError(
            "tabulated needs finite log α of shape (T + 1,) that starts at 0 and never increases; "
            f"got shape {table.shape}: {table.ravel()[:1]} …. Prepend 0.0 for time 0, and end at "
            f"{LOG_ALPHA_END} instead of -inf."
        )
    return Table(table)


def reference_cosine(steps: int) -> Schedule:
    """The cosine table of the authors' released code, for `steps` steps.

    Its grid is stretched by (T + 1) / T, each step's α is clipped at 0.001 and then square-rooted,
    so that α_1 = 4.9e-5 at T = 1000 instead of 0 (github.com/ehoogeboom/multinomial_diffusion).
    """
    grid = np.linspace(0, 1, steps + 1)
    cos = np.cos((grid + OFFSET) / (1 + OFFSET) * np.pi / 2) ** 2
    log_step = 0.5 * np.log(np.clip(cos[1:] / cos[:-1], 0.001, 1.0))
    return tabulated(np.concatenate([[0.0], np.cumsum(log_step)]))


def differentiable(schedule: Schedule | Kernel | LearnedKernel) -> bool:
    """Whether a schedule or a kernel has a derivative in time; one by a table has none."""
    return getattr(of(schedule), "differentiable", True)


def of(kernel: Schedule | Kernel | LearnedKernel) -> Schedule | Kernel | LearnedKernel:
    """The schedule of a kernel that has one as `schedule`; else the kernel itself."""
    return getattr(kernel, "schedule", kernel)


def check(schedule: Schedule) -> None:
    """Raises ValueError unless log α starts at 0 and never rises; traced numbers pass."""
    t = np.linspace(0, 1, 5, dtype=np.float32)
    log_alpha = schedule(jnp.asarray(t))
    if isinstance(log_alpha, jax.core.Tracer):
        return
    result = np.asarray(log_alpha)
    if result.shape != t.shape or result[0] != 0 or not (np.diff(result) <= 0).all():
        raise ValueError(
            "A schedule maps times (B,) to log α (B,): 0 at time 0, and never rising; at times "
            f"{t.tolist()} it gives {result.tolist()}. Return the logarithm of α, not α itself."
        )


def _log_one_minus(u: Floats) -> Floats:
    """log(1 - u) for u in [0, 1], accurate at both ends and floored at LOG_ALPHA_END."""
    near_one = jnp.log(jnp.maximum(1 - u, jnp.exp(LOG_ALPHA_END)))
    return jnp.where(u < 0.5, jnp.log1p(-jnp.minimum(u, 0.5)), near_one)
