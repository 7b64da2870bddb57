"""Hollow: a denoiser that cannot see the token it predicts."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.networks import embeddings
from amd_jax.networks.blocks import (
    Block,
    check_counts,
    check_sizes,
    joined,
    known_mask,
    logits,
    rms_norm,
    time_features,
)
from amd_jax.networks.precision import dropout_of
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.shapes import Read, Vectors
from amd_jax.networks.taps import Taps
from amd_jax.types import Array, Flags, Logits, Times

CONTEXTS = (  # offsets of tokens around a position, which leave 0 out
    (-3, -2, -1),
    (-2, -1, 1),
    (-1, 1, 2),
    (1, 2, 3),
    (-4, -3, -2, -1),
    (-2, -1, 1, 2),
    (1, 2, 3, 4),
    (-5, -4, -3, -2, -1),
    (1, 2, 3, 4, 5),
)
REACH = 5
TABLE_ROWS = 32_749  # a prime: with more contexts than rows, their numbers spread over all


class Hollow(nn.Module):
    """Two causal towers, one from each side, joined per position: (B, L) -> logits (B, L, K).

    The logits at a position depend on every token but its own: a leave-one-out conditional by
    construction (Sun et al., 2023, sec. 4.2). So it may be trained by plain cross-entropy at every
    position, and the bound's expectation over the own token is exact.
    """

    num_classes: int  # K
    width: int = 96  # D of each tower
    blocks: int = 2  # of each tower
    dilations: tuple[int, ...] = (1,)  # of the blocks' convolutions, in turn
    heads: int = 0  # of causal attention in the blocks listed in `attend`; 0 for none
    attend: tuple[int, ...] = (-1,)  # which blocks attend
    join_width: int = 128
    join_blocks: int = 2
    taps: int = 5  # width of every convolution
    table_width: int = 0  # of the embeddings of short contexts around a position; 0 for none
    dropout: float = 0.0
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards
    sees_known: bool = False  # whether it is told which tokens are data, and not noisy
    sees_time: bool = True  # or not, as masks tell it by their number

    leave_one_out = True

    @property
    def two_sided(self) -> bool:
        """Whether the tokens before a position may be of another state than those after it."""
        return not (self.sees_time or self.table_width)

    @nn.compact
    def __call__(
        self,
        x_t: Read,
        t: Times,
        *,
        train: bool = False,
        known: Flags | None = None,
        after: Read | None = None,
    ) -> Logits:
        """Logits, float32.

        `known` has an effect with `sees_known` only; by default nothing is known. `after` is what
        stands after each position, x_t unless given: with masks there, and data before, one call
        predicts each token from those before it. ValueError for `after` unless `two_sided`.
        """
        check_sizes(width=self.width, blocks=self.blocks, join_width=self.join_width)
        check_sizes(taps=self.taps, dilations=min(self.dilations, default=0))
        check_counts(blocks=self.blocks, join_blocks=self.join_blocks, taps=self.taps)
        if after is not None and not self.two_sided:
            raise ValueError(
                "Tokens after a position are given apart to a network that sees neither the time "
                "nor contexts around it. Build it with sees_time=False and table_width=0."
            )
        time = time_features(t) if self.sees_time else None
        dropout = dropout_of(self.dropout, train)
        block = functools.partial(recomputed(Block, self.remat), dropout=dropout)
        known = known_mask(x_t, known) if self.sees_known else None
        past = self.tower("past", x_t, known, time, block)
        read = x_t if after is None else after
        turned, its_known = jax.tree.map(lambda side: side[:, ::-1], (read, known))
        future = self.tower("future", turned, its_known, time, block)[:, ::-1]
        contexts = self.contexts(embeddings.likeliest(x_t))
        sides = [past, future, *(c.astype(past.dtype) for c in contexts)]
        h = joined(sides, time, self.join_width, self.join_blocks, block)
        return logits(h, self.num_classes, self.log_frequencies)

    def contexts(self, x_t: Integer[Array, "B L"]) -> list[Float[Array, "B L E"]]:
        """Embeddings of the contexts of 3 to 5 tokens: one look-up each instead of the towers.

        Contexts share rows of a table where there are more of them than TABLE_ROWS.
        """
        if not self.table_width:
            return []
        length, base = x_t.shape[1], self.num_classes + 1
        ends = ((0, 0), (REACH, REACH))
        padded = jnp.pad(x_t, ends, constant_values=self.num_classes)
        result = []
        for i, offsets in enumerate(CONTEXTS):
            rows, index = min(base ** len(offsets), TABLE_ROWS), 0
            for offset in offsets:
                token = padded[:, REACH + offset : REACH + offset + length]
                index = (index * base + token) % rows
            table = nn.Embed(rows, self.table_width, name=f"context_{i}_embed")
            result.append(table(index))
        return result

    def tower(
        self,
        name: str,
        x_t: Read,
        known: Flags | None,
        time: Vectors | None,
        block: Callable[..., nn.Module],
    ) -> Float[Array, "B L E"]:
        """Features of the tokens before each position, by `block`s."""
        before = tuple((1 + j,) for j in range(self.taps))
        h = Taps(self.width, self.num_classes, before, self.dtype, name=f"{name}_in")(x_t, known)
        for i in range(self.blocks):
            dilation = self.dilations[i % len(self.dilations)]
            h = block(
                causal=True,
                offsets=tuple((j * dilation,) for j in range(self.taps)),
                heads=self.heads if i in [j % self.blocks for j in self.attend] else 0,
                name=f"{name}_{i}",
            )(h, time)
        return rms_norm(h)
