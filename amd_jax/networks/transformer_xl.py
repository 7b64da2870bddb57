"""Transformer-XL: segments of a text, each of which sees a memory of those before it."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.networks.blocks import check_counts, check_sizes
from amd_jax.networks.causal_transformer import shifted
from amd_jax.networks.embeddings import distances
from amd_jax.networks.precision import Dropout, compute_dtype
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.relative import RelativeBlock, small
from amd_jax.networks.shapes import Place
from amd_jax.networks.taps import read
from amd_jax.types import Array, Logits, Tokens


class Memory(NamedTuple):
    """What a segment leaves to the next: the newest inputs of each block."""

    inputs: Float[Array, "blocks B M D"]  # the last `seen` positions are of the text
    seen: Integer[Array, ""]


class TransformerXL(nn.Module):
    """Logits at l that depend on x[:, :l] only, read in segments: (B, L) -> (B, L, K).

    Position l of a segment of Q sees what is before it in the segment, and the M positions before
    the segment, through which no gradient passes. The first segment of a row has no memory: rows
    are independent of each other; `read` goes on from one row to the next, and a text of any
    length is read so by `models.LongMemory`. Dai et al., 2019, sec. 3, and the authors' code.
    Parameters of the blocks are stacked. With `remat` they are one loop, compiled once; without,
    the loop is unrolled, which is faster and suits few blocks.
    """

    num_classes: int  # K
    width: int = 512  # D
    blocks: int = 12
    heads: int = 8
    inner: int = 2048  # hidden units of the MLPs
    segment: int = 512  # Q
    memory: int = 512  # M
    clamp: int = 0  # distances above it count as it; 0 for all as they are
    same_length: bool = False  # every position sees at most M positions, its own among them
    pre_norm: bool = False  # norms before the parts of a block, and not after the sums
    dropout: float = 0.0
    attention_dropout: float = 0.0  # of the weights
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, compute them anew backwards; one loop

    def setup(self):
        check_sizes(width=self.width, blocks=self.blocks, heads=self.heads, segment=self.segment)
        check_sizes(inner=self.inner)
        check_counts(blocks=self.blocks)
        self._check_numbers()
        self.embed = self.param("embed", small, (self.num_classes, self.width))
        self.begin = self.param("begin", small, (1, self.width))  # in the place of a token
        self.biases = self.param("biases", small, (2, self.heads, self.width // self.heads))
        start = jnp.asarray(self.log_frequencies or 0.0)
        self.bias = self.param("bias", nn.initializers.constant(start), (self.num_classes,))
        sizes = self.width, self.heads, self.inner, self.pre_norm
        self.layers = RelativeBlock(*sizes, self.dropout, self.attention_dropout, self._dtype)
        self.drop = Dropout(self.dropout)

    @property
    def _dtype(self) -> jnp.dtype:
        return compute_dtype(self.dtype)

    def _check_numbers(self) -> None:
        """Raises ValueError for a width that heads do not divide, and numbers that see nothing."""
        if self.width % (2 * self.heads):
            raise ValueError(
                f"TransformerXL needs a width that 2 * heads divides; got width={self.width} and "
                f"heads={self.heads}."
            )
        if self.memory < self.same_length or self.clamp < 0:
            raise ValueError(
                "TransformerXL needs memory >= 0, with same_length memory >= 1, and clamp >= 0; "
                f"got memory={self.memory} and clamp={self.clamp}."
            )

    def __call__(self, x: Tokens, *, train: bool = False) -> Logits:
        """The logits, float32, one segment after the other."""
        check_counts(segments=-(-x.shape[1] // self.segment))
        before, result = shifted(x, 1, self.num_classes), []
        memory = self.blank(len(x), 0)
        for first in range(0, x.shape[1], self.segment):
            part = before[:, first : first + self.segment]
            logits, memory = self.read(memory, part, train=train)
            result.append(logits)
        return jnp.concatenate(result, axis=1)

    def blank(self, batch: int, size: int | None = None) -> Memory:
        """The memory before any text, of `size` positions; M unless given."""
        shape = (self.blocks, batch, self.memory if size is None else size, self.width)
        return Memory(jnp.zeros(shape, self._dtype), jnp.zeros((), jnp.int32))

    def read(
        self, memory: Memory, before: Tokens, *, train: bool = False
    ) -> tuple[Logits, Memory]:
        """Logits of a segment, and the memory after it.

        `before` are the tokens one before those of the segment, K where there is none. A memory of
        M positions keeps that size.
        """
        h = self.drop(self._embedded(before), deterministic=not train)
        places, past = before.shape[1], memory.inputs.shape[2]
        features = self._features(jnp.arange(past + places)[::-1])
        features = self.drop(features, deterministic=not train)
        own, key = past + jnp.arange(places)[:, None], jnp.arange(past + places)
        visible = self._near(own - key) & (key >= past - memory.seen)
        read = recomputed(functools.partial(_read, train), self.remat)

        def through(layer, h, old):
            joined = jnp.concatenate([old, h], axis=1)
            kept = jax.lax.stop_gradient(joined[:, max(0, past + places - self.memory) :])
            return read(layer, h, old, features, self.biases, visible), kept

        h, kept = self._over_blocks(through)(self.layers, h, memory.inputs)
        seen = jnp.minimum(memory.seen + places, self.memory)
        return self._logits(self.drop(h, deterministic=not train)), Memory(kept, seen)

    def start(self, batch: int, length: int) -> tuple:
        """What `advance` carries: keys and values of `length` positions, and their distances'."""
        empty = (self.blocks, batch, length, self.heads, self.width // self.heads)
        cache = (jnp.zeros(empty, self._dtype),) * 2
        features = self._features(jnp.arange(length))

        def through(layer, nothing, _):
            return nothing, layer.of_distance(features)

        return cache, self._over_blocks(through)(self.layers, (), None)[1]

    def advance(self, carry: tuple, previous: Tokens, p: Place) -> tuple[tuple, Logits]:
        """Takes in `previous`, of position p - 1; returns the carry, and the logits of p."""
        cache, of_distance = carry
        h = self._embedded(jnp.where(p > 0, previous, self.num_classes)[:, None])
        key = jnp.arange(of_distance.shape[1])
        visible = self._near(p - key) & (key >= p - p % self.segment - self.memory)

        def through(layer, h, own):
            return layer.step(h, *own, self.biases, visible, p)

        h, cache = self._over_blocks(through)(self.layers, h, (cache, of_distance))
        return (cache, of_distance), self._logits(h)[:, 0]

    def _over_blocks(self, through: Callable) -> Callable:
        """`through(block, h, own) -> (h, kept)` of one block after the other.

        What each has of its own, and keeps, is stacked in front.
        """
        return nn.scan(
            through,
            variable_axes={"params": 0, "intermediates": 0},
            split_rngs={"params": True, "dropout": True},
            length=self.blocks,
            unroll=1 if self.remat else self.blocks,
        )

    def _embedded(self, tokens: Array) -> Array:
        """What the first block reads of tokens (B, N) in [0, K]: (B, N, D)."""
        table = jnp.concatenate([self.embed, self.begin]) * self.width**0.5
        return read(tokens[..., None, None], table, self._dtype)

    def _features(self, t: Array) -> Array:
        """Of distances (T,): (T, D)."""
        t = jnp.minimum(t, self.clamp) if self.clamp else t
        return distances(t, self.width).astype(self._dtype)

    def _near(self, t: Array) -> Array:
        """Whether a position sees one that is t before it: bool, the same shape."""
        return (t >= 0) & (t < self.memory) if self.same_length else t >= 0

    def _logits(self, h: Array) -> Array:
        """(B, N, D) -> (B, N, K), float32, by the embeddings of the tokens."""
        return h.astype(jnp.float32) @ self.embed.T + self.bias


def _read(train: bool, block: RelativeBlock, h: Array, *others: Array) -> Array:
    """The block applied to h (B, Q, D)."""
    return block(h, *others, train=train)
