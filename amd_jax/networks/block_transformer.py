"""BlockTransformer: the tokens of a block, some of them noise, given all blocks before it."""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Bool, Float, Integer

from amd_jax.networks.blocks import (
    Block,
    Cache,
    Linear,
    check_counts,
    check_sizes,
    gelu,
    logits,
    rms_norm,
    stacked,
    time_features,
)
from amd_jax.networks.causal_transformer import shifted
from amd_jax.networks.precision import compute_dtype, dropout_of
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.shapes import Place
from amd_jax.networks.taps import Rows
from amd_jax.types import Array, Logits, Times, Tokens

Index = Integer[Array, "B N taps"]  # tokens that an input shows, its own first; -1 for none
Sizes = Integer[Array, "#B"] | Integer[Array, ""] | int  # tokens of a block, one for all or each
Carry = tuple[Integer[Array, "B taps_before"], tuple[Cache, ...]]


class BlockTransformer(nn.Module):
    """Rotary Transformer over noisy x_t and clean x_0 side by side: (B, L) -> logits (B, L, K).

    Logits of a block depend on x_t in that block, and on x_0 in the blocks before it, so that one
    call serves all blocks of a text. The two are 2 L positions of one attention: noisy tokens see
    their block, and clean tokens before it; clean tokens see those of their block and before
    (Arriola et al., 2025, sec. 3.2 and app. B.6). A block is `block_size` tokens, the last one
    what is left; the parameters are the same for all sizes.

    What clean tokens compute does not depend on the noise, so their keys and values are kept when
    a text is drawn block by block (`models.BlockDiffusion`): `start`, `read` and `guess`. With a
    `context` the kept ones are no more than that and a block, however long the text.
    """

    num_classes: int  # K, states of the kernel: with a mask, that too
    width: int = 512  # D
    blocks: int = 12  # residual blocks
    heads: int = 8
    taps: int = 1  # tokens that an input shows at once: its own, and those before it
    expansion: int = 4
    exact_gelu: bool = False  # erf, or the faster tanh form
    dropout: float = 0.0
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards
    context: int = 0  # tokens before its block that each layer sees; 0 for all
    sees_time: bool = False  # whether it reads the noise's time; masks show it

    def __call__(
        self,
        x_t: Tokens,
        x_0: Tokens,
        block_size: Sizes,
        t: Float[Array, "B L"] | None = None,
        *,
        train: bool = False,
    ) -> Logits:
        """The logits of x_t, float32; t is read with `sees_time` only."""
        check_sizes(taps=self.taps)
        length = x_t.shape[1]
        start = starts(block_size, length)
        mask = two_streams(start, self.context)
        inside = [jnp.arange(length) - j >= start for j in range(self.taps)]
        clean = [shifted(x_0, j, -1) for j in range(self.taps)]
        noisy = [
            jnp.where(own, shifted(x_t, j, -1), before)
            for j, (own, before) in enumerate(zip(inside, clean, strict=True))
        ]
        index = jnp.concatenate([jnp.stack(noisy, axis=-1), jnp.stack(clean, axis=-1)], axis=1)
        time = None
        if self.sees_time and t is not None:
            time = jnp.concatenate([t, jnp.zeros_like(t)], axis=1)
        return self._read(index, time, mask=mask, streams=2, train=train)[0]

    def start(self, batch: int, length: int, block_size: int) -> Carry:
        """What is carried before the first block of texts of `length`: tokens, keys, values."""
        check_sizes(block_size=block_size)
        room = -(-length // block_size) * block_size
        if self.context:
            room = min(room, (-(-self.context // block_size) + 1) * block_size)
        empty = (batch, room, self.heads, self.width // self.heads)
        cache = (jnp.zeros(empty, compute_dtype(self.dtype)),) * 2
        return jnp.full((batch, self.taps - 1), -1), (cache,) * self.blocks

    def read(self, carry: Carry, x: Tokens, p: Place) -> Carry:
        """The carry after the clean block x (B, S) at the positions from p on."""
        _, carry = self._continued(carry, x, jnp.zeros(len(x)), p)
        return carry

    def guess(self, carry: Carry, x_t: Tokens, t: Times, p: Place) -> Logits:
        """The logits of the noisy block x_t (B, S) at the positions from p on: (B, S, K)."""
        return self._continued(carry, x_t, t, p)[0]

    def _continued(self, carry: Carry, x: Tokens, t: Times, p: Place) -> tuple[Logits, Carry]:
        """Logits of a block that starts at p, and the carry with its keys, values and tokens."""
        (before, caches), size = carry, x.shape[1]
        text = jnp.concatenate([before, x], axis=1)
        first = self.taps - 1
        index = jnp.stack([text[:, first - j :][:, :size] for j in range(self.taps)], axis=-1)
        time = jnp.broadcast_to(t[:, None], x.shape) if self.sees_time else None
        mask = ring(p, size, caches[0][0].shape[1], self.context)
        result, caches = self._read(index, time, caches, p, mask=mask)
        return result, (text[:, size:], caches)

    @nn.compact
    def _read(
        self,
        index: Index,
        time: Float[Array, "B N"] | None,
        caches: tuple[Cache, ...] | None = None,
        p: Place = 0,
        *,
        mask: Bool[Array, "..."],
        streams: int = 1,
        train: bool = False,
    ) -> tuple[Logits, tuple[Cache, ...]]:
        """Logits of the first of the streams, and the caches with the N positions in them."""
        check_sizes(width=self.width, blocks=self.blocks, heads=self.heads)
        check_counts(blocks=self.blocks, taps=self.taps)
        if self.context < 0:
            raise ValueError(f"context must be at least 0, for all; got context={self.context}.")
        h = Rows(self.width, self.num_classes, self.dtype, name="in")(index[..., None])
        if time is not None:
            features = time_features(time.reshape(-1)).reshape(*time.shape, -1)
            h += Linear(self.width, name="of_time")(features).astype(h.dtype)
        block = functools.partial(
            recomputed(Block, self.remat),
            streams=streams,
            heads=self.heads,
            expansion=self.expansion,
            activation=gelu(self.exact_gelu),
            dropout=dropout_of(self.dropout, train),
        )
        h, caches = stacked(block, self.blocks, h, caches, p, mask)
        h = rms_norm(h[:, : h.shape[1] // streams])
        return logits(h, self.num_classes, self.log_frequencies), caches


def starts(block_size: Sizes, length: int) -> Integer[Array, "#B L"]:
    """Where the block of each of `length` positions starts; ValueError for a size below 1."""
    if isinstance(block_size, int):
        check_sizes(block_size=block_size)
    size = jnp.reshape(jnp.asarray(block_size), (-1, 1))
    return jnp.arange(length) // size * size


def two_streams(start: Integer[Array, "#B L"], context: int = 0) -> Bool[Array, "#B 1 2*L 2*L"]:
    """What the noisy tokens of a text, then its clean ones, see of both."""
    position = jnp.arange(start.shape[1])
    inside = start[:, :, None] == start[:, None, :]
    before = position < start[:, :, None]
    if context:
        before &= position >= start[:, :, None] - context
    noisy = jnp.concatenate([inside, before], axis=2)
    clean = jnp.concatenate([jnp.zeros_like(inside), inside | before], axis=2)
    return jnp.concatenate([noisy, clean], axis=1)[:, None]


def ring(p: Place, size: int, room: int, context: int = 0) -> Bool[Array, "room"]:
    """Which places of a ring of keys a block sees, its own `size` from p on included."""
    last = p + size - 1
    position = last - (last - jnp.arange(room)) % room  # the latest that is kept at each place
    return position >= (jnp.maximum(p - context, 0) if context else 0)
