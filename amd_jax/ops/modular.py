"""Integers mod K as exact one-hots (..., K) that carry gradients.

Forward it is arithmetic of integers, so one-hots stay exact however many maps are stacked.
Backward it is the gradient, at these one-hots, of the arithmetic of probability vectors, which is
linear in each: (a + b)[u] = Σ_v a[v] b[u - v], (c a)[u] = Σ_{s v = u} c[s] a[v], indices mod K.
Tran et al., 2019, sec. 4.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.ops import categorical
from amd_jax.types import Array

OneHots = Float[Array, "*shape K"]


def units(num_classes: int) -> tuple[int, ...]:
    """The numbers below K that share no factor with it: those that have an inverse mod K."""
    return tuple(s for s in range(1, num_classes) if math.gcd(s, num_classes) == 1)


def inverses(scales: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
    """Of each scale its inverse mod K; ValueError for one that has none, or is outside [1, K)."""
    wrong = [s for s in scales if not 0 < s < num_classes or math.gcd(s, num_classes) > 1]
    if wrong:
        raise ValueError(
            f"A scale is in [1, {num_classes}) and shares no factor with K={num_classes}, else "
            f"x -> {wrong[0]} x has no inverse; got {wrong[0]}. Use some of "
            f"modular.units({num_classes})."
        )
    return tuple(pow(s, -1, num_classes) for s in scales)


def harden(logits: Float[Array, "*shape K"], temperature: float) -> OneHots:
    """One-hot of the largest logit; the gradient is that of softmax(logits / temperature).

    The straight-through estimator of Bengio et al., 2013, as in Tran et
    al., 2019, sec. 4.3: biased, and the more the lower the temperature is.
    """
    soft = jax.nn.softmax(logits / temperature)
    hard = categorical.one_hot(jnp.argmax(logits, axis=-1), logits.shape[-1], soft.dtype)
    return hard + (soft - jax.lax.stop_gradient(soft))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def affine(
    factors: tuple[int, ...], x: OneHots, scale: Float[Array, "*shape J"], loc: OneHots
) -> OneHots:
    """Loc + scale x mod K, of one-hots: the scale is one of J factors."""
    i, s, m = _indices(factors, x, scale, loc)
    return categorical.one_hot((m + s * i) % x.shape[-1], x.shape[-1], x.dtype)


def _affine_forward(factors, x, scale, loc):
    return affine(factors, x, scale, loc), _indices(factors, x, scale, loc)


def _affine_backward(factors, residuals, d_z):
    """Of each one-hot, what d_z has where every one of its classes would have led."""
    i, s, m = (a[..., None] for a in residuals)
    k = jnp.arange(d_z.shape[-1])

    def at(place: Array) -> Array:
        return jnp.take_along_axis(d_z, place % d_z.shape[-1], axis=-1)

    return at(m + s * k), at(m + jnp.array(factors) * i), at(k + s * i)


affine.defvjp(_affine_forward, _affine_backward)


def _indices(factors: tuple[int, ...], x: Array, scale: Array, loc: Array) -> tuple[Array, ...]:
    """The integers that x, scale and loc stand for, each (...)."""
    i, j, m = (jnp.argmax(a, axis=-1) for a in (x, scale, loc))
    return i, jnp.array(factors)[j], m


@dataclasses.dataclass(frozen=True)
class Affine:
    """z = loc + scale x mod K of one-hots; θ = [K logits of loc, then one of each scale].

    Without `scales` the scale is 1. The gradient goes through both argmaxes (`harden`). Tran et
    al., 2019, sec. 4.2; they carry base to data by this map, and the released code the other way.

    Raises ValueError for a scale without an inverse, or a temperature that is not positive.
    """

    num_classes: int  # K
    scales: tuple[int, ...] = ()  # of which each entry has one; at most `units(K)`
    temperature: float = 1.0  # of the gradient

    def __post_init__(self):
        """Refuses what has no inverse."""
        inverses(self.scales, self.num_classes)
        if not self.temperature > 0:
            raise ValueError(
                "A straight-through gradient has a temperature above 0; got "
                f"{self.temperature}. The maps themselves do not depend on it: use 1.0."
            )

    @property
    def num_parameters(self) -> int:
        """K, and as many as there are scales."""
        return self.num_classes + len(self.scales)

    def forward(self, x: OneHots, theta: Float[Array, "*shape P"]) -> OneHots:
        """z of x."""
        factors, scale, loc = self._read(theta)
        return affine(factors, x, scale, loc)

    def inverse(self, z: OneHots, theta: Float[Array, "*shape P"]) -> OneHots:
        """x of z; no gradient."""
        factors, scale, loc = self._read(theta)
        i, s, m = _indices(inverses(factors, self.num_classes), z, scale, loc)
        return categorical.one_hot(s * (i - m) % self.num_classes, self.num_classes, z.dtype)

    def _read(self, theta: Array) -> tuple[tuple[int, ...], Array, Array]:
        """What scales there are, the one that is chosen, and the location, both as one-hots."""
        loc, scale = jnp.split(theta, [self.num_classes], axis=-1)
        loc = harden(loc, self.temperature)
        if not self.scales:
            return (1,), jnp.ones((*theta.shape[:-1], 1), theta.dtype), loc
        return self.scales, harden(scale, self.temperature), loc
