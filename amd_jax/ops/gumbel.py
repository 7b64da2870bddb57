"""The Gumbel distribution, and the map that truncates it."""

import jax
import jax.numpy as jnp

from amd_jax.ops import categorical
from amd_jax.types import Floats, Numbers


def log_prob(g: Floats, loc: Numbers | float = 0.0) -> Floats:
    """Log-density of Gumbel(loc) at g: loc - g - exp(loc - g), elementwise in nats."""
    return loc - g - jnp.exp(loc - g)


def from_logit(a: Floats) -> tuple[Floats, Floats]:
    """-log(-log σ(a)), and the log of its slope: the inverse CDF after a sigmoid, elementwise.

    In terms of the logit, so that no u rounds to 1: with s = -log σ(a) = softplus(-a), the value
    is -log s and the slope σ(-a) / s. The value tends to a for large a.
    """
    # Beyond 15, log softplus(-a) = -a - exp(-a) / 2 to float32, where exp(-a) would be lost.
    far = a > 15.0
    near = jnp.minimum(a, 15.0)
    log_s = jnp.where(
        far, -a - 0.5 * jnp.exp(-jnp.maximum(a, 15.0)), jnp.log(jax.nn.softplus(-near))
    )
    return -log_s, jax.nn.log_sigmoid(-a) - log_s


def threshold(u: Floats, ceiling: Numbers) -> tuple[Floats, Floats]:
    """Presses u under the ceiling T: T - softplus(T - u), and its log slope log σ(T - u).

    For u of Gumbel(φ) the value has the law of Gumbel(φ) truncated at T: softplus thresholding
    and the truncated Gumbel's inverse CDF are one map. Hoogeboom et al., 2021, sec. 3. The value
    is below T in float32 too, where the formula would round to it.
    """
    gap = ceiling - u
    value = ceiling - jax.nn.softplus(gap)
    below = ceiling - 2.0**-22 * jnp.maximum(jnp.abs(ceiling), categorical.FLOOR)
    return jnp.minimum(value, jax.lax.stop_gradient(below)), jax.nn.log_sigmoid(gap)
