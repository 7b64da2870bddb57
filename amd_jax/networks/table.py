"""Networks of the rows of a table: an embedding and an output for each field, and no order."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer

from amd_jax.networks.blocks import (
    Block,
    Cache,
    Linear,
    check_counts,
    check_sizes,
    rms_norm,
    time_features,
)
from amd_jax.networks.precision import compute_dtype, dropout_of
from amd_jax.networks.shapes import Features, Place
from amd_jax.types import Array, Key, Logits, Times, Tokens

Sizes = tuple[int, ...]  # of each field: its tokens
Shares = tuple[tuple[float, ...], ...]  # of each field's tokens


class TableNet(nn.Module):
    """Residual MLP over whole rows of a table: (B, L) -> logits (B, L, K).

    The embeddings of all fields stand side by side, so that no column is nearer to one than to
    another. Logits beyond the size of a field are 0, and mean nothing: the model's `support`
    leaves them out.
    """

    num_classes: int  # K, states
    sizes: Sizes
    width: int = 512  # D
    blocks: int = 4
    embedding: int = 32  # of each field
    expansion: int = 2
    dropout: float = 0.0
    marginals: Shares | None = None  # where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    sees_time: bool = True  # with masks alone, the time says nothing that x_t does not

    @nn.compact
    def __call__(self, x_t: Tokens, t: Times, *, train: bool = False) -> Logits:
        """Logits, float32."""
        check_sizes(width=self.width, embedding=self.embedding, expansion=self.expansion)
        check_counts(blocks=self.blocks)
        h = embedded(x_t, self.sizes, self.embedding).astype(compute_dtype(self.dtype))
        h = Linear(self.width, name="in")(h.reshape(len(h), -1))
        time = time_features(t) if self.sees_time else None
        block: Callable[..., Any] = functools.partial(
            Block, expansion=self.expansion, dropout=dropout_of(self.dropout, train)
        )
        for i in range(self.blocks):
            h = block(name=f"block_{i}")(h, time)
        return outputs(rms_norm(h), self.sizes, self.num_classes, self.marginals)


class CausalTable(nn.Module):
    """Transformer over the fields of a row, each given those before it: (B, L) -> (B, L, K).

    It walks (`models.Autoregressive`) with the keys and values of what it has read.
    """

    num_classes: int  # K
    sizes: Sizes
    width: int = 256  # D
    blocks: int = 3
    heads: int = 4
    expansion: int = 2
    dropout: float = 0.0
    marginals: Shares | None = None  # where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    def __call__(self, x: Tokens, *, train: bool = False) -> Logits:
        """The logits, float32."""
        before = jnp.pad(x, ((0, 0), (1, 0)))[:, :-1]
        return self._read(before, jnp.arange(len(self.sizes)), train=train)[0]

    def start(self, batch: int, length: int) -> tuple[Cache, ...]:
        """What `advance` carries before the first of `length` fields: keys and values."""
        empty = (batch, length, self.heads, self.width // self.heads)
        return ((jnp.zeros(empty, compute_dtype(self.dtype)),) * 2,) * self.blocks

    def advance(self, carry: tuple, previous: Tokens, p: Place) -> tuple[tuple, Logits]:
        """Takes in `previous`, of field p - 1; returns the carry, and the logits of field p."""
        result, carry = self._read(previous[:, None], jnp.asarray(p)[None], carry, p)
        return carry, result[:, 0]

    @nn.compact
    def _read(
        self,
        before: Integer[Array, "B N"],
        fields: Integer[Array, "N"],
        caches: tuple[Cache, ...] | None = None,
        p: Place = 0,
        *,
        train: bool = False,
    ) -> tuple[Logits, tuple[Cache, ...]]:
        """Logits of some fields, of each of which `before` has the token in front of it."""
        check_sizes(width=self.width, blocks=self.blocks, heads=self.heads)
        check_counts(blocks=self.blocks)
        first = jnp.asarray(_ends(self.sizes))
        shape = (len(self.sizes), self.width, self.num_classes)
        token = nn.Embed(sum(self.sizes), self.width, name="embed")(
            first[jnp.maximum(fields - 1, 0)] + before
        )
        own = nn.Embed(len(self.sizes), self.width, name="field_embed")(fields)
        h = (jnp.where(fields[:, None] > 0, token, 0.0) + own).astype(compute_dtype(self.dtype))
        dropout, kept = dropout_of(self.dropout, train), []
        for i in range(self.blocks):
            block: Callable[..., Any] = Block(
                causal=True,
                heads=self.heads,
                expansion=self.expansion,
                dropout=dropout,
                name=f"block_{i}",
            )
            if caches is None:
                h = block(h)
            else:
                h, cache = block(h, None, caches[i], p)
                kept.append(cache)
        kernel = self.param("out", nn.initializers.zeros, shape)
        bias = self.param("out_bias", nn.initializers.constant(_padded(self)), shape[::2])
        result = jnp.einsum("bnd,ndk->bnk", rms_norm(h).astype(jnp.float32), kernel[fields])
        return result + bias[fields], tuple(kept)


class FieldContext(nn.Module):
    """Numbers that say how to lift each token, given it and its field: (B, L) -> (B, L, outputs).

    The outputs start at zero.
    """

    sizes: Sizes
    num_outputs: int
    width: int = 64

    @nn.compact
    def __call__(self, x: Tokens, *, train: bool = False) -> Features:
        """The outputs for tokens x; `train` changes nothing."""
        del train
        check_sizes(width=self.width)
        h = nn.gelu(Linear(self.width, name="wide")(embedded(x, self.sizes, self.width)))
        return Linear(self.num_outputs, kernel_init=nn.initializers.zeros, name="out")(h)


def _padded(network: CausalTable) -> Float[np.ndarray, "L K"]:
    """The log-shares of every field's tokens, 0 beyond them."""
    result = np.zeros((len(network.sizes), network.num_classes), np.float32)
    for row, shares in zip(result, network.marginals or (), strict=False):
        row[: len(shares)] = np.log(shares)
    return result


def embedded(x: Tokens, sizes: Sizes, width: int) -> Float[Array, "B L E"]:
    """A vector for each token of each field, and one for those beyond its size; in compact."""
    first = _ends(sizes, extra=1)
    spread = nn.initializers.normal(1.0)
    table = nn.Embed(int(first[-1]), width, embedding_init=spread, name="embed")
    return table(first[:-1] + jnp.minimum(x, jnp.array(sizes)))


def outputs(
    h: Float[Array, "B D"], sizes: Sizes, num_classes: int, marginals: Shares | None
) -> Float[Array, "B L K"]:
    """The last layer, in float32: of each field its tokens, and 0 beyond them; in compact."""
    ends = _ends(sizes)

    def bias(key: Key, shape: tuple[int, ...], dtype=jnp.float32) -> Array:
        if marginals is None:
            return jnp.zeros(shape, dtype)
        return jnp.log(jnp.array([p for shares in marginals for p in shares], dtype))

    zeros = nn.initializers.zeros
    out = Linear(int(ends[-1]), use_bias=True, kernel_init=zeros, bias_init=bias, name="out")
    flat = out(h.astype(jnp.float32))
    fields = [flat[:, a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]
    return jnp.stack([jnp.pad(z, ((0, 0), (0, num_classes - z.shape[1]))) for z in fields], axis=1)


def _ends(sizes: Sizes, extra: int = 0) -> np.ndarray:
    """Where each field begins, where all tokens, and `extra` of each, lie in a row: (L + 1,)."""
    return np.cumsum([0, *(size + extra for size in sizes)])
