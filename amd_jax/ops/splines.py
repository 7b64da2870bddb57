"""Monotone rational-quadratic splines by their knots: values, log-slopes and inverses."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.ops.categorical import gather
from amd_jax.types import Array, Floats, Numbers

Knots = Float[Array, "*#shape knots"]  # bins + 1 of them

MIN_BIN, MIN_SLOPE = 1e-3, 1e-3  # width and height as fractions, slope at a knot
MAX_BINS = 500  # half of the interval is then left for the softmax


def partition(
    logits: Float[Array, "*shape N"], low: float, high: float
) -> Float[Array, "*shape N+1"]:
    """Knots that cut [low, high] in the ratios of a softmax."""
    bins = logits.shape[-1]
    fractions = MIN_BIN + (1 - MIN_BIN * bins) * jax.nn.softmax(logits)
    inner = low + (high - low) * jnp.cumsum(fractions, axis=-1)[..., :-1]
    ends = [jnp.full_like(logits[..., :1], end) for end in (low, high)]
    return jnp.concatenate([ends[0], inner, ends[1]], axis=-1)


def positive_slopes(theta: Floats) -> Floats:
    """Positive slopes at the knots, elementwise."""
    return MIN_SLOPE + jax.nn.softplus(theta)


def _bin(v: Array, places: Array, x: Array, y: Array, slopes: Array) -> list[Array]:
    """Of the bin between `places` that holds v: x, y, width, height, slopes at its ends; (...)."""
    i = (v[..., None] >= places[..., 1:-1]).sum(axis=-1)
    per_bin = (
        x[..., :-1],
        y[..., :-1],
        jnp.diff(x),
        jnp.diff(y),
        slopes[..., :-1],
        slopes[..., 1:],
    )
    return [gather(part, i) for part in per_bin]


def value(x: Numbers, x_knots: Knots, y_knots: Knots, slopes: Knots) -> tuple[Floats, Floats]:
    """Y and log dy/dx: Durkan et al., 2019, eq. 4 and 5."""
    x_k, y_k, width, height, left, right = _bin(x, x_knots, x_knots, y_knots, slopes)
    chord = height / width
    r = (x - x_k) / width
    mixed = r * (1 - r)
    denominator = chord + (left + right - 2 * chord) * mixed
    y = y_k + height * (chord * r**2 + left * mixed) / denominator
    slope = right * r**2 + 2 * chord * mixed + left * (1 - r) ** 2
    return y, 2 * jnp.log(chord) + jnp.log(slope) - 2 * jnp.log(denominator)


def inverse(y: Numbers, x_knots: Knots, y_knots: Knots, slopes: Knots) -> Floats:
    """x of y: Durkan et al., 2019, eq. 6 to 8, the root that stays stable."""
    x_k, y_k, width, height, left, right = _bin(y, y_knots, x_knots, y_knots, slopes)
    chord = height / width
    bend = (y - y_k) * (left + right - 2 * chord)
    a = height * (chord - left) + bend
    b = height * left - bend
    c = -chord * (y - y_k)
    root = jnp.sqrt(jnp.maximum(b**2 - 4 * a * c, 1e-30))  # positive but for rounding
    return x_k + width * 2 * c / (-b - root)
