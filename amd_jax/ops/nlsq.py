"""The nonlinear squared map of the line: a bijection in the form of `ops.scalars`."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from amd_jax.ops.scalars import Theta, split
from amd_jax.types import Array, Floats, Numbers

LARGEST = 8 * math.sqrt(3) / 9 - 0.05  # of |r|: the slope stays above 3 % of b
STEEPEST = 10.0  # of |log b| and |log d|: some layers of such slopes stay within float32
FAR = 1e6  # of |u|: the bump is below float32's rounding of u from there on


@dataclasses.dataclass(frozen=True)
class NonlinearSquared:
    """y = a + b x + c / (1 + (d x + f)²): a line with a bump, its inverse the root of a cubic.

    θ = [a, log b / 0.4, atanh(c d / (b R)) / 0.3, log d / 0.4, f] with R = 8 √3 / 9 - 0.05: |c d|
    below 8 √3 / 9 b is what makes it increase, and θ = 0 is the identity. log b and log d are
    clipped to [-10, 10], a map still. Ziegler and Rush, 2019, sec. 5.

    In u = d x + f and r = c d / b it is d (y - a) / b + f = u + r / (1 + u²), with slope
    1 - 2 r u / (1 + u²)².
    """

    num_parameters = 5

    def forward(self, x: Numbers, theta: Theta) -> tuple[Floats, Floats]:
        """Y and log dy/dx."""
        a, log_b, r, log_d, f = _parts(theta)
        u = jnp.clip(jnp.exp(log_d) * x + f, -FAR, FAR)
        square = 1 + u * u
        y = a + jnp.exp(log_b) * x + r * jnp.exp(log_b - log_d) / square
        return y, log_b + jnp.log1p(-2 * r * u / square**2)

    def inverse(self, y: Numbers, theta: Theta) -> Floats:
        """x of y."""
        a, log_b, r, log_d, f = _parts(theta)
        s = (y - a) * jnp.exp(log_d - log_b) + f
        return (_root(s, jnp.broadcast_to(r, s.shape)) - f) * jnp.exp(-log_d)


def _parts(theta: Array) -> list[Array]:
    """a, log b, r, log d and f: (...) each."""
    a, log_b, r, log_d, f = (part[..., 0] for part in split(theta, *(1,) * 5))
    log_b, log_d = (jnp.clip(0.4 * log, -STEEPEST, STEEPEST) for log in (log_b, log_d))
    return [a, log_b, LARGEST * jnp.tanh(0.3 * r), log_d, f]


@jax.custom_jvp
def _root(s: Array, r: Array) -> Array:
    """The u with u + r / (1 + u²) = s: (...), (...) -> (...).

    The real root of u³ - s u² + u + r - s by Cardano: to first order no rounding of the cube root
    t moves t - p / t, so it is good to some roundings of s. It lies between s and s - r, and where
    s³ overflows it is s.
    """
    third = s / 3
    p = 1 / 3 - third**2  # of t³ + 3 p t + 2 q with u = t + s / 3
    q = r / 2 - third - third**3
    t = jnp.cbrt(-q - jnp.copysign(jnp.sqrt(jnp.maximum(q * q + p**3, 0.0)), q))
    u = third + t - p / jnp.where(t == 0, 1.0, t)
    u = jnp.where(jnp.isfinite(u), u, s)
    return jnp.clip(u, jnp.minimum(s, s - r), jnp.maximum(s, s - r))


def _slope(u: Array, r: Array) -> Array:
    """ds/du: (...), (...) -> (...)."""
    return 1 - 2 * r * u / (1 + u * u) ** 2


@_root.defjvp
def _root_jvp(primals, tangents):
    """Implicit function: of s = u + r / (1 + u²) follows du = (ds - dr / (1 + u²)) / slope."""
    u = _root(*primals)
    s_tangent, r_tangent = tangents
    return u, (s_tangent - r_tangent / (1 + u * u)) / _slope(u, primals[1])
