"""CausalTransformer: every token given those before it, in parallel or one by one."""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Integer

from amd_jax.networks.blocks import (
    Block,
    Cache,
    check_counts,
    check_sizes,
    gelu,
    logits,
    rms_norm,
    stacked,
)
from amd_jax.networks.precision import compute_dtype, dropout_of
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.shapes import Place
from amd_jax.networks.taps import Rows
from amd_jax.types import Array, Logits, Tokens


class CausalTransformer(nn.Module):
    """Rotary Transformer whose logits at l depend on x[:, :l] only: (B, L) -> (B, L, K).

    Queries, keys, values and the MLP's hidden units come from one matrix. It works for any L, and
    walks (`models.Autoregressive`) with the keys and values of what it has read.
    """

    num_classes: int  # K
    width: int = 512  # D
    blocks: int = 12
    heads: int = 8
    taps: int = 1  # tokens before a position that its input shows at once
    expansion: int = 4
    exact_gelu: bool = False  # erf, or the faster tanh form
    dropout: float = 0.0
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards
    tied: bool = False  # the embeddings of the input's tokens are the last layer's matrix, too

    def __call__(self, x: Tokens, *, train: bool = False) -> Logits:
        """The logits, float32."""
        check_sizes(taps=self.taps)
        check_counts(taps=self.taps)
        before = [shifted(x, n + 1, self.num_classes) for n in range(self.taps)]
        return self._read(jnp.stack(before, axis=-1), train=train)[0]

    def start(self, batch: int, length: int) -> tuple[Integer[Array, "B taps"], tuple[Cache, ...]]:
        """What `advance` carries before the first of `length` positions: tokens, keys, values."""
        empty = (batch, length, self.heads, self.width // self.heads)
        cache = (jnp.zeros(empty, compute_dtype(self.dtype)),) * 2
        return jnp.full((batch, self.taps), self.num_classes), (cache,) * self.blocks

    def advance(self, carry: tuple, previous: Tokens, p: Place) -> tuple[tuple, Logits]:
        """Takes in `previous`, of position p - 1; returns the carry, and the logits of p."""
        before, caches = carry
        now = jnp.concatenate([previous[:, None], before[:, :-1]], axis=-1)
        before = jnp.where(p > 0, now, before)
        result, caches = self._read(before[:, None], caches, p)
        return (before, caches), result[:, 0]

    @nn.compact
    def _read(
        self,
        before: Integer[Array, "B L taps"],
        caches: tuple[Cache, ...] | None = None,
        p: Place = 0,
        *,
        train: bool = False,
    ) -> tuple[Logits, tuple[Cache, ...]]:
        """Logits of the positions from p on, and the caches with theirs.

        `before` are the tokens before each, the nearest first; K where there is none.
        """
        check_sizes(width=self.width, blocks=self.blocks, heads=self.heads)
        check_counts(blocks=self.blocks)
        first = Rows(self.width, self.num_classes + 1, self.dtype, name="in")
        h = first(before[..., None])
        block = functools.partial(
            recomputed(Block, self.remat),
            causal=True,
            heads=self.heads,
            expansion=self.expansion,
            activation=gelu(self.exact_gelu),
            dropout=dropout_of(self.dropout, train),
        )
        h, caches = stacked(block, self.blocks, h, caches, p)
        tied = first.embedding() if self.tied else None
        return logits(rms_norm(h), self.num_classes, self.log_frequencies, tied), caches


def shifted(x: Integer[Array, "B L"], steps: int, start: int) -> Integer[Array, "B L"]:
    """x moved `steps` positions to the right, with the token `start` in front."""
    return jnp.pad(x, ((0, 0), (steps, 0)), constant_values=start)[:, : x.shape[1]]
