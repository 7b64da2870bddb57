"""Attention without parameters: queries, keys and values (..., L, H, D).

Both kinds carry their own backward pass. `attention` keeps the unnormalised weights of the forward
pass and divides the (L, D) result instead of the (L, L) weights; together they take a quarter off
the attention of a training step on a CPU. `plain_attention` and `plain_linear_attention` are their
twins in three lines; the tests hold values and gradients together.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from amd_jax.networks.primitives.matmul import product, transposed_matmul
from amd_jax.types import Array, Floats

Queries = Float[Array, "*batch L H D"]
Keys = Float[Array, "*batch M H D"]
Values = Float[Array, "*batch M H E"]
Means = Float[Array, "*batch L H E"]  # of the values
Mask = Bool[Array, "..."]  # broadcastable to (..., H, L, M), True where a query may look

MASKED = -1e30  # finite, so that a row with every key masked yields a mean and not a NaN


def plain_attention(q: Queries, k: Keys, v: Values, *, mask: Mask | None = None) -> Means:
    """Softmax attention as one writes it."""
    scores = jnp.einsum("...lhd,...mhd->...hlm", q, k) * q.shape[-1] ** -0.5
    scores = scores if mask is None else jnp.where(mask, scores, MASKED)
    return jnp.einsum("...hlm,...mhd->...lhd", jax.nn.softmax(scores, axis=-1), v)


def attention(
    q: Queries, k: Keys, v: Values, *, mask: Mask | None = None, causal: bool = False
) -> Means:
    """softmax(q k^T / sqrt(D)) v; with `causal` position l sees keys 0..l only.

    Vaswani et al., 2017, sec. 3.2.
    """
    if q.shape[-1] != k.shape[-1] or k.shape[:-1] != v.shape[:-1]:
        raise ValueError(
            "attention needs q (..., L, H, D), k and v (..., M, H, D) with the same M, H and D; "
            f"got q {q.shape}, k {k.shape}, v {v.shape}."
        )
    if causal:
        visible = jnp.tri(q.shape[-3], k.shape[-3], dtype=bool)
        mask = visible if mask is None else mask & visible
    q, k, v = (jnp.swapaxes(z, -3, -2) for z in (q, k, v))
    return jnp.swapaxes(_attend(q * q.shape[-1] ** -0.5, k, v, mask), -3, -2)


@jax.custom_vjp
def _attend(q: Array, k: Array, v: Array, mask: Mask | None) -> Array:
    """softmax(q k^T) v with heads before positions: (..., H, L, D)."""
    return _attend_forward(q, k, v, mask)[0]


def _attend_forward(q, k, v, mask):
    scores = product(q, k.mT)
    scores = scores if mask is None else jnp.where(mask, scores, MASKED)
    weights = jnp.exp(scores - scores.max(axis=-1, keepdims=True))
    scale = 1 / weights.sum(axis=-1, keepdims=True)
    weights = weights.astype(v.dtype)
    out = (product(weights, v) * scale).astype(v.dtype)
    return out, (q, k, v, weights, scale, out)


def _attend_backward(residuals, d_out):
    q, k, v, weights, scale, out = residuals
    d_out = d_out * scale  # float32, as are the differences
    d_row = (d_out * out).sum(axis=-1, keepdims=True)
    d_out = d_out.astype(v.dtype)
    d_scores = (weights * (product(d_out, v.mT) - d_row)).astype(v.dtype)
    return d_scores @ k, transposed_matmul(d_scores, q), transposed_matmul(weights, d_out), None


_attend.defvjp(_attend_forward, _attend_backward)


def softmax(z: Floats, axis: int = -1) -> Floats:
    """Softmax normalised in float32, in the dtype of z."""
    return jax.nn.softmax(z.astype(jnp.float32), axis=axis).astype(z.dtype)


def plain_linear_attention(q: Floats, k: Floats, v: Floats) -> Floats:
    """Linear attention as one writes it; the shapes of `linear_attention`."""
    q = jax.nn.softmax(q, axis=-1) * q.shape[-1] ** -0.5
    context = jnp.einsum("...lhd,...lhe->...hde", jax.nn.softmax(k, axis=-3), v)
    return jnp.einsum("...lhd,...hde->...lhe", q, context)


def linear_attention(q: Floats, k: Floats, v: Floats) -> Floats:
    """q' (k'^T v), q' = softmax(q) over D, k' = softmax(k) over L: three (..., L, H, D) -> one.

    q' is divided by sqrt(D). Every position sees every other in time linear in L. Shen et al.,
    2021, sec. 3.2.
    """
    q, k, v = (jnp.swapaxes(z, -3, -2) for z in (q, k, v))
    return jnp.swapaxes(_attend_linearly(q, k, v), -3, -2)


@jax.custom_vjp
def _attend_linearly(q: Floats, k: Floats, v: Floats) -> Floats:
    """Linear attention with heads before positions: (..., H, L, D)."""
    return _linear_forward(q, k, v)[0]


def _linear_forward(q, k, v):
    q = softmax(q) * q.shape[-1] ** -0.5
    k = softmax(jax.lax.optimization_barrier(k.mT))  # (..., H, D, L)
    context = k @ v
    return q @ context, (q, k, v, context)


def _linear_backward(residuals, d_out):
    q, k, v, context = residuals
    d_q = product(d_out, context.mT)
    d_context = transposed_matmul(q, d_out)
    d_k = product(d_context, v.mT)
    d_v = transposed_matmul(k, d_context)
    d_q = q * (d_q - (q * d_q).sum(axis=-1, keepdims=True) * q.shape[-1] ** 0.5)
    d_k = k * (d_k - (k * d_k).sum(axis=-1, keepdims=True))
    return d_q.astype(q.dtype), d_k.mT.astype(k.dtype), d_v


_attend_linearly.defvjp(_linear_forward, _linear_backward)


def window_attention(q: Floats, k: Floats, v: Floats, window: int) -> Floats:
    """`attention` over a position's own window and the two beside it: (..., L, H, D), not causal.

    The L positions are cut into L / window blocks; each block of queries sees three blocks of
    keys, at the ends two. With at most two blocks this is full attention.
    """
    *batch, length, heads, width = q.shape
    if length % window:
        raise ValueError(
            f"window_attention needs L to be a multiple of the window; got L={length} and "
            f"window={window}. Pad the text or choose a divisor of {length}."
        )
    blocks = length // window
    if blocks <= 2:
        return attention(q, k, v)
    q, k, v = (z.reshape(*batch, blocks, window, heads, width) for z in (q, k, v))
    beside = jnp.arange(blocks)[:, None] + jnp.arange(-1, 2)  # (blocks, 3): before, own, after
    inside = jnp.repeat((beside >= 0) & (beside < blocks), window, axis=1)[:, None, None]
    out = attention(q, _neighbours(k), _neighbours(v), mask=inside)
    return out.reshape(*batch, length, heads, width)


def _neighbours(z: Float[Array, "*batch n W H D"]) -> Float[Array, "*batch n 3*W H D"]:
    """Blocks joined with the ones before and after."""
    pad = [(0, 0)] * z.ndim
    pad[-4] = (1, 1)
    padded = jnp.pad(z, pad)
    n = z.shape[-4]
    return jnp.concatenate([padded[..., i : i + n, :, :, :] for i in range(3)], axis=-3)
