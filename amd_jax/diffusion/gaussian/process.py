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
from jaxtyping import Float

from amd_jax.diffusion import kernels
from amd_jax.ops import categorical
from amd_jax.types import (
    Array,
    Floats,
    Key,
    Logits,
    Numbers,
    PerToken,
    Probs,
    Times,
    Tokens,
)

Points = Float[Array, "B *event D"]


def one_hots(num_classes: int, scale: float = 1.0) -> Float[np.ndarray, "K K"]:
    """One-hots times `scale`, all as far from each other."""
    return scale * np.eye(num_classes)


def on_a_line(num_classes: int) -> Float[np.ndarray, "K 1"]:
    """The middles of K equal parts of [-1, 1], for classes that have an order."""
    return 2 * (np.arange(num_classes)[:, None] + 0.5) / num_classes - 1


class Guess(NamedTuple):
    """What is guessed at z_t."""

    clean: Points  # the mean of f_x given z_t
    log_law: Logits | None = None  # log p of the class at each position, given z_t
    log_others: Logits | None = None  # the same, given the other positions
    said: Points | None = None  # what a network says of the variance of the step


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

    points: Float[Array, "K D"]
    gamma: Callable[[Floats], Floats]  # t in [0, 1] -> γ_t
    guess: Callable[..., Guess]  # of (z_t: Points, t: Times, rng=None)
    variance: str = "small"  # of `VARIANCES`

    def point(self, x: Tokens) -> Points:
        """Where classes lie."""
        return self.points[x]

    def corrupted(self, rng: Key, x: Tokens, t: Times) -> Points:
        """A draw of z_t ~ q(z_t | x)."""
        f = self.point(x)
        return diffused(f, jax.random.normal(rng, f.shape), self.level(t, f.ndim))

    def predict(self, z_t: Points, t: Times, rng: Key | None = None) -> Probs:
        """The law of the class at each position, given the other positions."""
        return jnp.exp(self.log_predict(z_t, t, rng))

    def log_predict(self, z_t: Points, t: Times, rng: Key | None = None) -> Logits:
        """Its logarithm, exact where the law itself is too small for float32."""
        return _told(self.guess(z_t, t, rng).log_others)

    def denoised(self, z_t: Points, t: Times, rng: Key | None = None) -> kernels.Denoised:
        """The law of the class at each position, given all of z_t."""
        return kernels.Denoised(jnp.exp(self.log_denoised(z_t, t, rng)))

    def log_denoised(self, z_t: Points, t: Times, rng: Key | None = None) -> Logits:
        """Its logarithm."""
        return _told(self.guess(z_t, t, rng).log_law)

    def log_denoised_of(
        self, x: Tokens, z_t: Points, t: Times, rng: Key | None = None
    ) -> PerToken:
        """Log p(x | z_t) of each token."""
        return categorical.gather(self.log_denoised(z_t, t, rng), x)

    def level(self, t: Times, ndim: int) -> Float[Array, "B ..."]:
        """γ_t, to broadcast against an event: (B, 1, …, 1)."""
        return categorical.expand(self.gamma(t), ndim)


def _told(law: Array | None) -> Array:
    """A law of classes, if there is one; else ValueError."""
    if law is None:
        raise ValueError(
            "This denoiser tells no such law of classes. Use NegativeElbo, or a denoiser whose "
            "output is Classes()."
        )
    return law


def signal(gamma: Floats) -> Floats:
    """α, elementwise."""
    return jnp.sqrt(jax.nn.sigmoid(-gamma))


def noise(gamma: Floats) -> Floats:
    """σ, elementwise."""
    return jnp.sqrt(jax.nn.sigmoid(gamma))


def diffused(f: Numbers, eps: Numbers, gamma: Numbers) -> Floats:
    """z = α f + σ ε."""
    return signal(gamma) * f + noise(gamma) * eps


def noise_of(z: Numbers, f: Numbers, gamma: Numbers) -> Floats:
    """The ε that makes z of f."""
    return (z - signal(gamma) * f) / noise(gamma)


def clean_of(z: Numbers, eps: Numbers, gamma: Numbers) -> Floats:
    """The f that ε makes z of."""
    return (z - noise(gamma) * eps) / signal(gamma)


def renewed(s: Floats, t: Floats) -> Floats:
    """Share c = 1 - SNR_t / SNR_s of the noise at γ = t that came since γ = s."""
    return -jnp.expm1(s - t)


def posterior_weights(s: Floats, t: Floats) -> tuple[Floats, Floats]:
    """What f and z_t count for in the mean of q(z_s | z_t, f), at γ = s < t."""
    kept = signal(t) / signal(s) * jnp.exp(jax.nn.log_sigmoid(s) - jax.nn.log_sigmoid(t))
    return signal(s) * renewed(s, t), kept


def posterior_mean(f: Numbers, z_t: Numbers, s: Numbers, t: Numbers) -> Floats:
    """Mean of q(z_s | z_t, f), at γ = s < t; of a guess of f it is that of the step back."""
    clean, kept = posterior_weights(s, t)
    return clean * f + kept * z_t


def log_variances(s: Floats, t: Floats) -> tuple[Floats, Floats]:
    """Log-variances of q(z_s | z_t, f) and of q(z_t | z_s), at γ = s < t."""
    log_c = jnp.log(renewed(s, t))
    return log_c + jax.nn.log_sigmoid(s), log_c + jax.nn.log_sigmoid(t)


def evidence(points: Float[Array, "K D"], z: Points, gamma: Float[Array, "..."]) -> Logits:
    """log q(z | x = k) but for what is the same for all k.

    -½ |z / α - f_k|² SNR, as distances, and not as products, which would lose digits where there
    is little noise.
    """
    distance = jnp.square((z / signal(gamma))[..., None, :] - points).sum(axis=-1)
    return -0.5 * jnp.exp(-gamma) * distance


def step_kl(error: Numbers, excess: Numbers, s: Numbers, t: Numbers) -> Floats:
    """KL(q(z_s | z_t, f) || p(z_s | z_t)) for each number.

    `error` is f minus its guess, `excess` the log-variance of q minus that of p: at 0 it is
    ½ (SNR_s - SNR_t) error² (Kingma et al., 2021, eq. 13).
    """
    gap = jnp.exp(-t) * jnp.expm1(t - s)  # SNR_s - SNR_t
    return 0.5 * (jnp.expm1(excess) - excess + gap * jnp.exp(excess) * jnp.square(error))


def log_variance(process: Process, said: Numbers | None, s: Numbers, t: Numbers) -> Floats:
    """Log-variance of the step back from γ = t to s."""
    return VARIANCES[process.variance](said, *log_variances(s, t))


def decoded(process: Process, z_0: Points) -> Logits:
    """log p(x | z_0), each position by its own numbers.

    softmax of `evidence`: right for classes that are all as likely (Kingma et al., 2021, eq. 8).
    """
    start = jnp.zeros(z_0.shape[0])
    return jax.nn.log_softmax(evidence(process.points, z_0, process.level(start, z_0.ndim)))
