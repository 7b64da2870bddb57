"""The residual block that the modern denoisers share, and its pieces."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.networks import embeddings
from amd_jax.networks.precision import Dense, Dropout
from amd_jax.networks.primitives.attention import Mask, attention
from amd_jax.networks.primitives.depthwise import depthwise
from amd_jax.networks.primitives.matmul import at_least_single, dense_dot_general, matmul
from amd_jax.networks.primitives.recompute import anew
from amd_jax.networks.shapes import Features, PerHead, Place, Read, Vectors
from amd_jax.types import Array, Batch, Flags, Floats, Key, Latents, Logits, Series, Times

# A linear map whose gradient is laid out for the machine
Linear = functools.partial(Dense, use_bias=False, dot_general=dense_dot_general)

MOST = 1024  # pieces of one kind in a program

Cache = tuple[PerHead, PerHead]  # keys and values of the positions of a text

uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")  # U(±1 / sqrt(fan_in))


def relu_squared(h: Floats) -> Floats:
    """max(h, 0)², cheap and sparse (So et al., 2021, sec. 4.1)."""
    return jnp.square(nn.relu(h))


def gelu(exact: bool) -> Callable[[Array], Array]:
    """GELU by erf or by the faster tanh; on a CPU its gradient keeps the input only.

    Hendrycks and Gimpel, 2016.
    """
    return anew(_exact_gelu if exact else nn.gelu, cpu_only=True)


def _exact_gelu(h: Floats) -> Floats:
    """H Φ(h) by erf: on a CPU a third of the time of erfc, which `nn.gelu` asks for."""
    wide = at_least_single(h)  # for the sum, which cancels
    return (0.5 * wide * (1 + jax.lax.erf(wide * 0.5**0.5))).astype(h.dtype)


class Embed(nn.Embed):
    """A learned vector for each token; of real vectors, the product with the first D rows."""

    def __call__(self, x: Read) -> Features:
        """The vectors of tokens, or of real vectors in their place."""
        if embeddings.is_real(x):
            return x @ self.embedding[: x.shape[-1]]
        return super().__call__(x)


class Block(nn.Module):
    """Residual block: norm, time, depthwise convolution, then MLP and attention side by side.

    Texts (B, L, D) or maps (B, H, W, D), time features (B, C) -> the same. One matrix makes
    queries, keys, values and the MLP's hidden units, one brings them back; the latter starts at
    zero, so the block starts as the identity. Scale, offset and gate come from the time (adaptive
    normalisation; Peebles and Xie, 2023, sec. 3.2); without a time they are parameters.

    A causal block without taps can walk: with the `cache` of keys and values so far it takes h of
    the positions from p () on, and gives the cache with theirs beside the result. A `mask` says
    what attends to what instead: see `rotary_attention`.
    """

    causal: bool = False  # position n attends to positions up to n only
    streams: int = 1  # texts side by side along L, the positions of each counted anew
    offsets: tuple[tuple[int, ...], ...] = ()  # how far before the own place, first, taps are
    heads: int = 0  # 0 for no attention
    expansion: int = 4  # hidden units of the MLP, in D
    activation: Callable[[Array], Array] = relu_squared
    dropout: float = 0.0  # always at work: give 0 where not training

    @nn.compact
    def __call__(
        self,
        h: Latents,
        time: Vectors | None = None,
        cache: Cache | None = None,
        p: Place = 0,
        mask: Mask | None = None,
    ) -> Latents | tuple[Latents, Cache]:
        """The block applied to h; with attention, to texts."""
        width = h.shape[-1]
        if self.heads < 0 or self.heads and width % (2 * self.heads):
            raise ValueError(
                f"Rotary attention needs heads >= 0 and a width that 2 * heads divides; got "
                f"width={width} and heads={self.heads}."
            )
        zeros = nn.initializers.zeros
        if time is None:
            modulation = self.param("modulation", zeros, (3 * width,))
        else:
            modulation = Dense(3 * width, kernel_init=zeros, name="time")(time)
            modulation = modulation.reshape(len(time), *(1,) * (h.ndim - 2), -1)
        scale, bias, gate = jnp.split(modulation, 3, axis=-1)
        a = (rms_norm(h) * (1 + scale) + bias).astype(h.dtype)
        if len(self.offsets) > 1:
            taps = self.param("taps", first_tap, (len(self.offsets), width))
            a = depthwise(a, taps, self.offsets)
        inputs = 3 * width if self.heads else 0  # of the attention
        wide = Linear(inputs + self.expansion * width, name="hidden")(a)
        qkv, wide = jnp.split(wide, [inputs], axis=-1)
        wide = self.activation(wide)
        if self.heads:
            attended, cache = rotary_attention(
                qkv, self.heads, self.causal, cache, p, mask, self.streams
            )
            wide = jnp.concatenate([attended, wide], axis=-1)
        wide = Dropout(self.dropout, deterministic=False)(wide)
        back = Linear(width, kernel_init=zeros, name="back")(wide)
        h = (h + (1 + gate) * back).astype(h.dtype)
        return h if cache is None else (h, cache)


def stacked(
    block: Callable[..., nn.Module],
    number: int,
    h: Latents,
    caches: tuple[Cache, ...] | None = None,
    p: Place = 0,
    mask: Mask | None = None,
) -> tuple[Latents, tuple[Cache, ...]]:
    """H after so many blocks without a time, and their caches if they have any; in compact."""
    if caches is None:
        for i in range(number):
            h = block(name=f"block_{i}")(h, None, None, 0, mask)
        return h, ()
    kept = []
    for i, before in enumerate(caches):
        h, cache = block(name=f"block_{i}")(h, None, before, p, mask)
        kept.append(cache)
    return h, tuple(kept)


def rotary_attention(
    qkv: Series,
    heads: int,
    causal: bool,
    cache: Cache | None = None,
    p: Place = 0,
    mask: Mask | None = None,
    streams: int = 1,
) -> tuple[Float[Array, "B L D"], Cache | None]:
    """Attention with rotary positions, queries and keys normalised; C = 3 D.

    The L positions are those of texts side by side, `streams` of them, each counted from p (). A
    mask says which keys a query sees. With a cache of M places they see the keys before them as
    well; the cache with theirs comes second, None without one. With a cache and a mask, which is
    of the M places then, the cache is a ring: position n is kept at place n mod M.
    """
    batch, length, width = qkv.shape
    per_head = (batch * streams, -1, heads, width // 3 // heads)
    q, k, v = (z.reshape(per_head) for z in jnp.split(qkv, 3, axis=-1))
    q, k = (embeddings.rotary(rms_norm(z), p) for z in (q, k))
    q, k, v = (z.reshape(batch, length, heads, -1) for z in (q, k, v))
    if cache is None:
        out = attention(q, k, v, mask=mask, causal=causal)
        return out.reshape(batch, length, width // 3), None
    place = p if mask is None else p % cache[0].shape[1]
    k, v = (
        jax.lax.dynamic_update_slice_in_dim(old, new.astype(old.dtype), place, axis=1)
        for old, new in zip(cache, (k, v), strict=True)
    )
    if mask is None:
        mask = jnp.arange(k.shape[1]) <= p + jnp.arange(length)[:, None]
    out = attention(q, k, v, mask=mask)
    return out.reshape(batch, length, width // 3), (k, v)


def time_features(t: Times, width: int = 64) -> Vectors:
    """Learned features of the log signal-to-noise ratio; call in compact."""
    return nn.silu(Dense(width, name="time")(embeddings.log_snr_features(t)))


def known_mask(x: Read, known: Flags | None) -> Flags:
    """Which tokens, or real vectors, are data and not noisy; `known`, or none if that is None."""
    shape = x.shape[:-1] if embeddings.is_real(x) else x.shape
    return jnp.zeros(shape, bool) if known is None else known


def marked(tokens: Latents, known: Flags) -> Float[Array, "B *event 2*C"]:
    """One-hot tokens, and beside them those that are known, zeros where they are not."""
    return jnp.concatenate([tokens, jnp.where(known[..., None], tokens, 0)], axis=-1)


def joined(
    sides: list[Batch],
    time: Vectors | None,
    width: int,
    blocks: int,
    block: Callable[..., nn.Module],
) -> Latents:
    """Features of all sides, each (B, ..., D), joined per place; call in compact."""
    h = Linear(width, name="join")(jnp.concatenate(sides, axis=-1))
    for i in range(blocks):
        h = block(name=f"joint_{i}")(h, time)
    return rms_norm(h)


def logits(
    h: Latents,
    num_classes: int,
    log_frequencies: tuple[float, ...] | None,
    embedding: Float[Array, "N C"] | None = None,
) -> Logits:
    """The last layer, in float32, which starts at the log-frequencies, or at 0; in compact.

    With an embedding, of K classes or more, its rows are the matrix (Press and Wolf, 2017).
    """
    bias = nn.initializers.zeros
    if log_frequencies is not None:
        bias = nn.initializers.constant(jnp.asarray(log_frequencies))
    h = h.astype(jnp.float32)
    if embedding is not None:
        return Bias(bias, name="out")(matmul(h, embedding[:num_classes].T))
    zeros = nn.initializers.zeros
    out = Linear(num_classes, use_bias=True, kernel_init=zeros, bias_init=bias, name="out")
    return out(h)


class Bias(nn.Module):
    """x plus a number for each place of its last axis."""

    bias_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: Floats) -> Floats:
        """The sum."""
        return x + self.param("bias", self.bias_init, x.shape[-1:])


def rms_norm(h: Floats) -> Floats:
    """H divided by its root mean square over the last axis; no parameters."""
    wide = h.astype(jnp.float32)
    normed = wide * jax.lax.rsqrt(jnp.square(wide).mean(axis=-1, keepdims=True) + 1e-6)
    return normed.astype(h.dtype)


def first_tap(rng: Key, shape: tuple[int, int]) -> Float[Array, "J D"]:
    """A convolution that starts near the identity: the tap of the own position is about 1."""
    return (0.1 * jax.random.normal(rng, shape)).at[0].add(1.0)


def check_counts(most: int = MOST, **counts: int) -> None:
    """Raises ValueError for a number of parts, each a piece of the program, above the most."""
    for name, count in counts.items():
        if count > most:
            raise ValueError(
                f"{name} must be at most {most}, since each is a piece of the program by itself; "
                f"got {name}={count}."
            )


def check_sizes(**sizes: int) -> None:
    """Raises ValueError for a size of a network that is below 1, or that int32 does not hold."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1; got {name}={size}.")
        if size >= 2**31:
            raise ValueError(f"{name} must be below 2^31; got {name}={size}.")
