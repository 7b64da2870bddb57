"""Attention by content and by distance: the block of Transformer-XL."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from amd_jax.networks import blocks
from amd_jax.networks.blocks import Cache
from amd_jax.networks.precision import Dropout
from amd_jax.networks.primitives.attention import MASKED, softmax
from amd_jax.networks.shapes import Place
from amd_jax.types import Array

small = nn.initializers.normal(0.02)
Linear = functools.partial(blocks.Linear, kernel_init=small)


class RelativeBlock(nn.Module):
    """Attention to a memory and to what came before, then an MLP: h (B, Q, D) -> the same.

    Query i and key j, t positions before it, have the score
    [(q_i + u) k_j + (q_i + v) W R_t] / sqrt(D / H), R_t the features of the distance. The norms
    come after each sum, or before each part (`pre_norm`). Dai et al., 2019, sec. 3.3.
    """

    width: int  # D
    heads: int  # H
    inner: int  # hidden units of the MLP
    pre_norm: bool = False
    dropout: float = 0.0
    attention_dropout: float = 0.0  # of the weights
    dtype: jnp.dtype = jnp.float32  # of h

    def setup(self):
        self.qkv = Linear(3 * self.width)
        self.relative = Linear(self.width)
        self.out = Linear(self.width)
        self.wide = Linear(self.inner, use_bias=True)
        self.back = Linear(self.width, use_bias=True)
        norm = functools.partial(nn.LayerNorm, 1e-5, param_dtype=jnp.float32)
        self.norms = [norm(dtype=self.dtype) for _ in range(2)]
        self.drop = Dropout(self.dropout)
        self.drop_weights = Dropout(self.attention_dropout)

    def __call__(
        self,
        h: Float[Array, "B Q D"],
        memory: Float[Array, "B M D"],
        features: Float[Array, "M+Q D"],
        biases: Float[Array, "2 H E"],
        visible: Bool[Array, "Q M+Q"],
        *,
        train: bool = False,
    ) -> Float[Array, "B Q D"]:
        """The block applied to h, with a memory before it.

        `features` are of the distances M + Q - 1, ..., 0; `biases` are u and v, E = D / H;
        `visible` says which keys a query sees.
        """
        q, k, v = self._projected(jnp.concatenate([memory, h], axis=1))
        q = q[:, memory.shape[1] :]
        by_key = _by_key(self._by_distance(q, biases, self.of_distance(features)))
        weights = self._weights(q, biases, k, by_key, visible)
        weights = self.drop_weights(weights, deterministic=not train)
        return self._finished(h, weights, v, train)

    def of_distance(self, features: Float[Array, "T D"]) -> Float[Array, "T H E"]:
        """W R_t for features of distances."""
        return self._split(self.relative(features))

    def step(
        self,
        h: Float[Array, "B 1 D"],
        cache: Cache,
        of_distance: Float[Array, "M H E"],
        biases: Float[Array, "2 H E"],
        visible: Bool[Array, "M"],
        p: Place,
    ) -> tuple[Float[Array, "B 1 D"], Cache]:
        """The block at position p alone, with `of_distance` of the distances 0, ..., M - 1."""
        q, k, v = self._projected(h)
        k, v = (
            jax.lax.dynamic_update_slice_in_dim(old, new, p, axis=1)
            for old, new in zip(cache, (k, v), strict=True)
        )
        by_distance = self._by_distance(q, biases, of_distance)
        by_key = jnp.roll(by_distance[..., ::-1], p + 1, axis=-1)  # key j is p - j away
        weights = self._weights(q, biases, k, by_key, visible)
        return self._finished(h, weights, v, train=False), (k, v)

    def _projected(self, h: Array) -> tuple[Array, Array, Array]:
        """Queries, keys and values of h (B, N, D): (B, N, H, D / H) each."""
        h = self.norms[0](h) if self.pre_norm else h
        q, k, v = map(self._split, jnp.split(self.qkv(h), 3, axis=-1))
        return q, k, v

    def _split(self, h: Array) -> Array:
        return h.reshape(*h.shape[:-1], self.heads, -1)

    def _by_distance(self, q: Array, biases: Array, of_distance: Array) -> Array:
        """Scores of each query for each distance: (B, H, Q, T)."""
        return _scores("bqhd,thd->bhqt", q, biases[1], of_distance)

    def _weights(self, q: Array, biases: Array, k: Array, by_key: Array, visible: Array) -> Array:
        """What each query takes of each key: (B, H, Q, K)."""
        scores = _scores("bqhd,bkhd->bhqk", q, biases[0], k) + by_key
        scores = jnp.where(visible, scores * q.shape[-1] ** -0.5, MASKED)
        return softmax(scores).astype(k.dtype)

    def _finished(self, h: Array, weights: Array, v: Array, train: bool) -> Array:
        """The sums and the MLP after attention: h (B, Q, D), weights (B, H, Q, K) -> as h."""
        drop = functools.partial(self.drop, deterministic=not train)
        attended = jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(h.shape)
        h = h + drop(self.out(attended))
        h = h if self.pre_norm else self.norms[0](h)
        wide = drop(nn.relu(self.wide(self.norms[1](h) if self.pre_norm else h)))
        h = h + drop(self.back(wide))
        return h if self.pre_norm else self.norms[1](h)


def _scores(how: str, q: Array, bias: Array, k: Array) -> Array:
    """Inner products of keys and of queries moved by a bias (H, D / H), as float32."""
    moved = (q.astype(jnp.float32) + bias).astype(q.dtype)
    return jnp.einsum(how, moved, k).astype(jnp.float32)


def _by_key(by_distance: Array) -> Array:
    """Scores (..., Q, T), by the distances T - 1, ..., 0, in the order of the keys: the same.

    Key j is T - Q + i - j before query i: row i is moved Q - 1 - i places to the left, all rows
    at once, by a column in front and another length of rows (Dai et al., 2019, app. B).
    """
    *batch, queries, keys = by_distance.shape
    padded = jnp.pad(by_distance, [(0, 0)] * (by_distance.ndim - 1) + [(1, 0)])
    padded = padded.reshape(*batch, keys + 1, queries)
    return padded[..., 1:, :].reshape(by_distance.shape)
