"""Increasing maps of the line with parameters θ: affine, logistic-mixture CDF, rational spline.

What couplings and autoregressive layers apply to each number: `forward(x, theta)` gives y and the
log of the slope dy/dx, `inverse(y, theta)` gives x. `theta` has `num_parameters` in its last axis.
"""

import dataclasses
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.ops import splines
from amd_jax.types import Array, Floats, Numbers

Theta = Float[Array, "*#shape P"]

POINTS, ROUNDS = 15, 7  # of the search for a quantile: 16 ** 7 = 2 ** 28 intervals


@runtime_checkable
class Bijection(Protocol):
    """An increasing map of each number by itself, with parameters theta."""

    @property
    def num_parameters(self) -> int:
        """P."""

    def forward(self, x: Numbers, theta: Theta, /) -> tuple[Floats, Floats]:
        """Y and log dy/dx."""

    def inverse(self, y: Numbers, theta: Theta, /) -> Floats:
        """x of y."""


@dataclasses.dataclass(frozen=True)
class Affine:
    """y = x exp(log_s) + t, with θ = [t, log_s]; its inverse is x = (y - t) exp(-log_s).

    With a bound b, b tanh(log_s / b) takes the place of log_s: deep flows then stay stable.
    """

    bound: float | None = None  # of |log_s|

    @property
    def num_parameters(self) -> int:
        """P = 2."""
        return 2

    def forward(self, x: Numbers, theta: Theta) -> tuple[Floats, Floats]:
        """Y and log dy/dx."""
        t, log_s = self._parts(theta)
        y = x * jnp.exp(log_s) + t
        return y, jnp.broadcast_to(log_s, y.shape)

    def inverse(self, y: Numbers, theta: Theta) -> Floats:
        """x of y."""
        t, log_s = self._parts(theta)
        return (y - t) * jnp.exp(-log_s)

    def _parts(self, theta: Array) -> tuple[Array, Array]:
        """Shift and log-scale: (...) each."""
        t, log_s = split(theta, 1, 1)
        if self.bound is not None:
            log_s = self.bound * jnp.tanh(log_s / self.bound)
        return t[..., 0], log_s[..., 0]


@dataclasses.dataclass(frozen=True)
class LogisticMixture:
    """y = (logit F(x) + t) exp(log_s), F the CDF of a mixture of M logistics.

    F(x) = Σ_m π_m σ(a_m), a_m = (x - mixt_t_m) exp(-mixt_log_s_m), with
    θ = [t, log_s, log π (M), mixt_t (M), mixt_log_s (M)] and log π not necessarily normalised;
    θ = 0 is the identity. Log-scales are used as they are: bound them first. Ho et al., 2019
    (Flow++), sec. 3.2, in the order of Lippe and Gavves, 2021.

    The inverse is a search, see `_quantile`; its gradients are those of an implicit function.
    """

    components: int  # M

    def __post_init__(self):
        if self.components < 1:
            raise ValueError(f"A mixture has at least one component; got {self.components}.")

    @property
    def num_parameters(self) -> int:
        """P = 2 + 3 M."""
        return 2 + 3 * self.components

    def forward(self, x: Numbers, theta: Theta) -> tuple[Floats, Floats]:
        """Y and log dy/dx."""
        t, log_s, mixture = self._parts(theta)
        logit, log_slope = _logit_cdf(x, *mixture)
        return (logit + t) * jnp.exp(log_s), log_slope + log_s

    def inverse(self, y: Numbers, theta: Theta) -> Floats:
        """x of y."""
        t, log_s, mixture = self._parts(theta)
        return _quantile(y * jnp.exp(-log_s) - t, *mixture)

    def _parts(self, theta: Array) -> tuple[Array, Array, list[Array]]:
        """t (...), log_s (...), and [log π, mixt_t, mixt_log_s], each (..., M)."""
        t, log_s, log_pi, *rest = split(theta, 1, 1, *(self.components,) * 3)
        return t[..., 0], log_s[..., 0], [jax.nn.log_softmax(log_pi), *rest]


@dataclasses.dataclass(frozen=True)
class RationalQuadraticSpline:
    """A spline of ratios of quadratics on [-b, b], the identity outside, b = tail_bound.

    θ = [widths (bins), heights (bins), slopes at the inner knots (bins - 1)]: widths and heights
    pass a softmax, slopes a softplus, and all are kept 1e-3 away from zero; the slope at both
    ends is 1. The inverse is a quadratic's root. Durkan et al., 2019, sec. 3.1.
    """

    bins: int
    tail_bound: float = 1.0  # b

    def __post_init__(self):
        if not 1 <= self.bins <= splines.MAX_BINS:
            raise ValueError(f"A spline has 1 to {splines.MAX_BINS} bins; got {self.bins}.")
        if self.tail_bound <= 0:
            raise ValueError(f"A spline's tail_bound is positive; got {self.tail_bound}.")

    @property
    def num_parameters(self) -> int:
        """P = 3 bins - 1."""
        return 3 * self.bins - 1

    def forward(self, x: Numbers, theta: Theta) -> tuple[Floats, Floats]:
        """Y and log dy/dx."""
        inside = jnp.abs(x) <= self.tail_bound
        y, log_slope = splines.value(jnp.where(inside, x, 0.0), *self._knots(theta))
        return jnp.where(inside, y, x), jnp.where(inside, log_slope, 0.0)

    def inverse(self, y: Numbers, theta: Theta) -> Floats:
        """x of y."""
        inside = jnp.abs(y) <= self.tail_bound
        x = splines.inverse(jnp.where(inside, y, 0.0), *self._knots(theta))
        return jnp.where(inside, x, y)

    def _knots(self, theta: Array) -> tuple[Array, Array, Array]:
        """Knots x_k, their images y_k and the slopes there, each (..., bins + 1)."""
        widths, heights, inner = split(theta, self.bins, self.bins, self.bins - 1)
        ends = [(0, 0)] * (theta.ndim - 1) + [(1, 1)]
        slopes = jnp.pad(splines.positive_slopes(inner), ends, constant_values=1.0)
        low, high = -self.tail_bound, self.tail_bound
        return splines.partition(widths, low, high), splines.partition(heights, low, high), slopes


def split(theta: Float[Array, "*shape P"], *sizes: int) -> list[Float[Array, "*shape size"]]:
    """Theta cut into parts whose sizes sum to P."""
    if theta.shape[-1] != sum(sizes):
        raise ValueError(
            f"The last axis of theta must hold {sum(sizes)} parameters; got {theta.shape}. "
            "Let the network that makes theta have `num_parameters` outputs per number."
        )
    return jnp.split(theta, [sum(sizes[:i]) for i in range(1, len(sizes))], axis=-1)


def _logit_cdf(x: Array, log_pi: Array, loc: Array, log_scale: Array) -> tuple[Array, Array]:
    """logit F(x) and the log of its slope f / (F (1 - F)): x (...), mixture (..., M) -> (...)."""
    a = (x[..., None] - loc) * jnp.exp(-log_scale)
    below, above = jax.nn.log_sigmoid(a), jax.nn.log_sigmoid(-a)
    log_cdf = jax.nn.logsumexp(log_pi + below, axis=-1)
    log_sf = jax.nn.logsumexp(log_pi + above, axis=-1)
    log_pdf = jax.nn.logsumexp(log_pi + below + above - log_scale, axis=-1)
    return log_cdf - log_sf, log_pdf - log_cdf - log_sf


@jax.custom_jvp
def _quantile(c: Array, log_pi: Array, loc: Array, log_scale: Array) -> Array:
    """The x with logit F(x) = c: c (...), mixture (..., M) -> (...).

    Each component alone has it at loc_m + c exp(log_scale_m), so it lies between the least and
    the largest of these: exact if they coincide, and never outside. The bracket is cut into 16
    for 7 times; x is then known to 2^-29 of the first bracket, or to float32's rounding of
    logit F, whichever is coarser. Where a mixture leaves a gap without mass, logit F is flat
    and float32 holds no more of x.
    """
    quantiles = loc + c[..., None] * jnp.exp(log_scale)
    low, high = quantiles.min(axis=-1), quantiles.max(axis=-1)
    fractions = jnp.arange(1, POINTS + 1, dtype=low.dtype) / (POINTS + 1)

    def cut(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        start, width = bracket
        x = start[..., None] + width[..., None] * fractions
        passed = _is_below(x, c, log_pi, loc, log_scale).sum(axis=-1)
        return start + width * (passed / (POINTS + 1)).astype(x.dtype), width / (POINTS + 1)

    start, width = jax.lax.fori_loop(0, ROUNDS, cut, (low, high - low))
    return jnp.clip(start + width / 2, low, high)


@_quantile.defjvp
def _quantile_jvp(primals, tangents):
    """Implicit function: of logit F(x; θ) = c follows dx = (dc - ∂_θ logit F dθ) / slope."""
    x = _quantile(*primals)
    (_, log_slope), (logit_tangent, _) = jax.jvp(
        lambda *mixture: _logit_cdf(x, *mixture), primals[1:], tangents[1:]
    )
    return x, (tangents[0] - logit_tangent) * jnp.exp(-log_slope)


def _is_below(x: Array, c: Array, log_pi: Array, loc: Array, log_scale: Array) -> Array:
    """Whether logit F(x) < c: x (..., N), c (...), mixture (..., M) -> bool (..., N).

    For c >= 0 it is the sign of Σ_m σ(a_m) (π_m - exp(log π_m + c - a_m)): two exponentials for
    each component and no logarithm. A term is at most π_m, so only a negative one overflows, and
    where it does the sum is negative. For c < 0 the same holds of -x and -c.
    """
    side = jnp.where(c < 0, -1.0, 1.0).astype(x.dtype)[..., None, None]
    log_pi, loc, log_scale = (part[..., None, :] for part in (log_pi, loc, log_scale))
    a = (x[..., None] - loc) * (side * jnp.exp(-log_scale))
    a = jnp.maximum(a, -40.0 if a.dtype == jnp.float64 else -17.0)  # where σ(a) = exp(a)
    gap = jnp.exp(log_pi) - jnp.exp(log_pi + (jnp.abs(c)[..., None, None] - a))
    return side[..., 0] * (gap / (1 + jnp.exp(-a))).sum(axis=-1) < 0
