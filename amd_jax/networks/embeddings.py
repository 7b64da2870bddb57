"""Ways to tell a network the time, and what it reads: pure functions of `jax.numpy` arrays.

Where a denoiser takes tokens (B, ...) it takes real vectors (B, ..., D), too, in the place of
their one-hots: in a Gaussian diffusion they are noisy, or what is known of the class.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float, Real

from amd_jax.networks.shapes import Features, PerHead, Place, Read, Vectors
from amd_jax.types import Array, Batch, Times, Tokens


def sinusoid(t: Times, dim: int, scale: float = 4000.0) -> Vectors:
    """Sines, then cosines, of a = scale * t at geometric frequencies.

    Frequency i of the dim / 2 is 10000 ** (-i / (dim / 2 - 1)): from 1 down to 1e-4. The features
    of Vaswani et al. (2017, sec. 3.5), with the times of Hoogeboom et al. (2021) stretched to
    [0, 4000] whatever the number of diffusion steps.
    """
    if dim < 4 or dim % 2:
        raise ValueError(f"sinusoid needs an even dim of at least 4; got dim={dim}.")
    half = dim // 2
    frequency = jnp.exp(jnp.arange(half) * (-math.log(10000.0) / (half - 1)))
    angle = (scale * t.astype(jnp.float32))[:, None] * frequency
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


def log_snr_features(t: Times, num_features: int = 32) -> Vectors:
    """Sines and cosines of the log signal-to-noise ratio of time t.

    The ratio is -2 log tan(π t / 2), clipped to ±8: it spreads out the two ends of [0, 1], where
    a denoiser's task changes fastest (Kingma et al., 2021, sec. 3.2).
    """
    log_snr = -2 * jnp.log(jnp.tan(jnp.pi / 2 * jnp.clip(t, 0.0117, 0.9883)))
    angles = log_snr[:, None] * jnp.pi / 16 * jnp.arange(1, num_features // 2 + 1)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def angles(places: Real[Array, "N"], number: int, base: float = 10000.0) -> Float[Array, "N F"]:
    """Places times frequencies base ** (-i / number)."""
    return places[:, None] * base ** (-jnp.arange(number) / number)


def distances(t: Real[Array, "N"], dim: int) -> Float[Array, "N F"]:
    """Sines, then cosines, of distances at geometric frequencies.

    Frequency i of the dim / 2 is 10000 ** (-2 i / dim) (Dai et al., 2019, and the authors' code).
    """
    turns = angles(t, dim // 2)
    return jnp.concatenate([jnp.sin(turns), jnp.cos(turns)], axis=-1)


def rotary(x: PerHead, first: Place = 0, base: float = 10000.0) -> PerHead:
    """Rotates pairs of features by angles proportional to position.

    The positions count from `first`. Inner products then depend on relative positions only (Su
    et al., 2021, sec. 3.2.2).
    """
    length, half = x.shape[1], x.shape[-1] // 2
    turns = angles(first + jnp.arange(length), half, base)
    cos, sin = jnp.cos(turns)[:, None], jnp.sin(turns)[:, None]  # (L, 1, D / 2)
    a, b = x[..., :half], x[..., half:]
    turned = jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
    return turned.astype(x.dtype)


def one_hots(x: Read, num_classes: int, dtype: jnp.dtype) -> Features:
    """Tokens as one-hots; real vectors as they are."""
    if is_real(x):
        return x.astype(dtype)
    return jax.nn.one_hot(x, num_classes, dtype=dtype)


def likeliest(x: Read) -> Tokens:
    """Tokens as they are; of real vectors the place of the largest number."""
    return x.argmax(axis=-1) if is_real(x) else x


def is_real(x: Batch) -> bool:
    """Whether these are real vectors, and not tokens."""
    return jnp.issubdtype(x.dtype, jnp.floating)
