"""Gaussian diffusion of classes: points of R^D that become noise, and the steps back.

Class k lies at the point f_k; z_t = α_t f_x + σ_t ε with α_t² = sigmoid(-γ_t), σ_t² = sigmoid(γ_t)
(`noise_schedules`). Time s < t. Ho et al., 2020; Nichol and Dhariwal, 2021; Kingma et al., 2021
(VDM).
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.diffusion import kernels
from amd_jax.ops import categorical
from amd_jax.types import Array, Key


def one_hots(num_classes: int, scale: float = 1.0) -> np.ndarray:
    """One-hots times `scale`, all as far from each other: (K, K)."""
    return scale * np.eye(num_classes)


def on_a_line(num_classes: int) -> np.ndarray:
    """The middles of K equal parts of [-1, 1], for classes that have an order: (K, 1)."""
    return 2 * (np.arange(num_classes)[:, None] + 0.5) / num_classes - 1


class Guess(NamedTuple):
    """What is guessed at z_t (B, ..., D)."""

    clean: Array  # the mean of f_x given z_t, (B, ..., D)
    log_law: Array | None = None  # log p of the class at each position, given z_t, (B, ..., K)
    log_others: Array | None = None  # the same, given the other positions
    said: Array | None = None  # what a network says of the variance of the step, (B, ..., D)


def _said(said: Array | None) -> Array:
    """What a network says of the variance of the step, if it does; else ValueError."""
    if said is None:
        raise ValueError("This variance is one that the network says; this one says nothing.")
    return said


VARIANCES: dict[str, Callable[[Array | None, Array, Array], Array]] = {
    # what is said, the least and the largest log-variance -> that of a step
    "small": lambda said, small, large: small,  # of q(z_s | z_t, x), right for a point
    "large": lambda said, small, large: large,  # of q(z_t | z_s), right for a normal (Ho et al.)
    "range": lambda said, small, large: small + (_said(said) + 1) / 2 * (large - small),
    "learned": lambda said, small, large: _said(said),
}
SAID = ("range", "learned")  # those that a network has a say in


@dataclasses.dataclass(frozen=True, eq=False)
class Process:
    """What bounds and samplers are functions of: parameters are in place."""

    points: Array  # (K, D)
    gamma: Callable[[Array], Array]  # t (B,) in [0, 1] -> γ_t (B,)
    guess: Callable[..., Guess]  # of (z_t (B, ..., D), t (B,), rng=None)
    variance: str = "small"  # of `VARIANCES`

    def point(self, x: Array) -> Array:
        """Where classes lie: (B, ...) -> (B, ..., D)."""
        return self.points[x]

    def corrupted(self, rng: Key, x: Array, t: Array) -> Array:
        """A draw of z_t ~ q(z_t | x): (B, ...), (B,) -> (B, ..., D)."""
        f = self.point(x)
        return diffused(f, jax.random.normal(rng, f.shape), self.level(t, f.ndim))

    def predict(self, z_t: Array, t: Array, rng: Key | None = None) -> Array:
        """The law of the class at each position, given the other positions: (B, ..., K)."""
        return jnp.exp(self.log_predict(z_t, t, rng))

    def log_predict(self, z_t: Array, t: Array, rng: Key | None = None) -> Array:
        """Its logarithm, exact where the law itself is too small for float32."""
        return _told(self.guess(z_t, t, rng).log_others)

    def denoised(self, z_t: Array, t: Array, rng: Key | None = None) -> kernels.Denoised:
        """The law of the class at each position, given all of z_t."""
        return kernels.Denoised(jnp.exp(self.log_denoised(z_t, t, rng)))

    def log_denoised(self, z_t: Array, t: Array, rng: Key | None = None) -> Array:
        """Its logarithm: (B, ..., K)."""
        return _told(self.guess(z_t, t, rng).log_law)

    def level(self, t: Array, ndim: int) -> Array:
        """γ_t, to broadcast against an event: (B,) -> (B, 1, ..., 1)."""
        return categorical.expand(self.gamma(t), ndim)


def _told(law: Array | None) -> Array:
    """A law of classes, if there is one; else ValueError."""
    if law is None:
        raise ValueError(
            "This denoiser tells no such law of classes. Use NegativeElbo, or a denoiser whose "
            "output is Classes()."
        )
    return law


def signal(gamma: Array) -> Array:
    """α, elementwise."""
    return jnp.sqrt(jax.nn.sigmoid(-gamma))


def noise(gamma: Array) -> Array:
    """σ, elementwise."""
    return jnp.sqrt(jax.nn.sigmoid(gamma))


def diffused(f: Array, eps: Array, gamma: Array) -> Array:
    """z = α f + σ ε: all broadcast."""
    return signal(gamma) * f + noise(gamma) * eps


def noise_of(z: Array, f: Array, gamma: Array) -> Array:
    """The ε that makes z of f."""
    return (z - signal(gamma) * f) / noise(gamma)


def clean_of(z: Array, eps: Array, gamma: Array) -> Array:
    """The f that ε makes z of."""
    return (z - noise(gamma) * eps) / signal(gamma)


def renewed(s: Array, t: Array) -> Array:
    """Share c = 1 - SNR_t / SNR_s of the noise at γ = t that came since γ = s."""
    return -jnp.expm1(s - t)


def posterior_weights(s: Array, t: Array) -> tuple[Array, Array]:
    """What f and z_t count for in the mean of q(z_s | z_t, f), at γ = s < t."""
    kept = signal(t) / signal(s) * jnp.exp(jax.nn.log_sigmoid(s) - jax.nn.log_sigmoid(t))
    return signal(s) * renewed(s, t), kept


def posterior_mean(f: Array, z_t: Array, s: Array, t: Array) -> Array:
    """Mean of q(z_s | z_t, f), at γ = s < t; of a guess of f it is that of the step back."""
    clean, kept = posterior_weights(s, t)
    return clean * f + kept * z_t


def log_variances(s: Array, t: Array) -> tuple[Array, Array]:
    """Log-variances of q(z_s | z_t, f) and of q(z_t | z_s), at γ = s < t."""
    log_c = jnp.log(renewed(s, t))
    return log_c + jax.nn.log_sigmoid(s), log_c + jax.nn.log_sigmoid(t)


def evidence(points: Array, z: Array, gamma: Array) -> Array:
    """log q(z | x = k) but for what is the same for all k: (B, ..., D) -> (B, ..., K).

    -½ |z / α - f_k|² SNR, γ broadcast to z: as distances, and not as products, which would lose
    digits where there is little noise.
    """
    distance = jnp.square((z / signal(gamma))[..., None, :] - points).sum(axis=-1)
    return -0.5 * jnp.exp(-gamma) * distance


def step_kl(error: Array, excess: Array, s: Array, t: Array) -> Array:
    """KL(q(z_s | z_t, f) || p(z_s | z_t)) for each number: broadcast.

    `error` is f minus its guess, `excess` the log-variance of q minus that of p: at 0 it is
    ½ (SNR_s - SNR_t) error² (Kingma et al., 2021, eq. 13).
    """
    gap = jnp.exp(-t) * jnp.expm1(t - s)  # SNR_s - SNR_t
    return 0.5 * (jnp.expm1(excess) - excess + gap * jnp.exp(excess) * jnp.square(error))


def log_variance(process: Process, said: Array | None, s: Array, t: Array) -> Array:
    """Log-variance of the step back from γ = t to s: broadcast."""
    return VARIANCES[process.variance](said, *log_variances(s, t))


def decoded(process: Process, z_0: Array) -> Array:
    """log p(x | z_0), each position by its own numbers: (B, ..., D) -> (B, ..., K).

    softmax of `evidence`: right for classes that are all as likely (Kingma et al., 2021, eq. 8).
    """
    start = jnp.zeros(z_0.shape[0])
    return jax.nn.log_softmax(evidence(process.points, z_0, process.level(start, z_0.ndim)))
