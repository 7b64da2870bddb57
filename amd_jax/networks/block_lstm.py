"""BlockLSTM: the tokens of a block, some of them noise, given the state of an LSTM before it."""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Bool, Float, Integer

from amd_jax.networks.block_transformer import Sizes, starts
from amd_jax.networks.blocks import (
    Block,
    Linear,
    check_counts,
    check_sizes,
    logits,
    rms_norm,
    stacked,
    time_features,
)
from amd_jax.networks.embeddings import distances
from amd_jax.networks.precision import Dropout, compute_dtype, dropout_of
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.primitives.recurrence import Carry
from amd_jax.networks.recurrent import LSTM
from amd_jax.networks.shapes import Features, Place
from amd_jax.networks.taps import Rows
from amd_jax.types import Array, Logits, Series, Times, Tokens

PLACES = 32  # features of the place in a block

Carries = tuple[Carry, ...]  # of the layers


class BlockLSTM(nn.Module):
    """LSTMs over clean x_0, attention within a block of x_t: (B, L) -> logits (B, L, K).

    Logits of a block depend on x_t in that block, and on what the LSTMs have carried to its start.
    One call serves all blocks of a text, and the parameters are the same for blocks of all sizes.

    Where a text is drawn block by block (`models.BlockDiffusion`: `start`, `read` and `guess`),
    the states are all that is kept: the same memory and time for every block, however long the
    text, and no `context` beyond which nothing is seen, as `BlockTransformer` has it.
    """

    num_classes: int  # K, states of the kernel: with a mask, that too
    width: int = 512  # D, of each layer
    layers: int = 1  # of LSTMs
    blocks: int = 2  # residual blocks, with attention
    heads: int = 8
    expansion: int = 4
    dropout: float = 0.0
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards
    sees_time: bool = False  # whether it reads the noise's time; masks show it

    def setup(self):
        """The two parts."""
        check_sizes(width=self.width, layers=self.layers, blocks=self.blocks, heads=self.heads)
        check_counts(layers=self.layers, blocks=self.blocks)
        self.past = _Past(self.num_classes, self.width, self.layers, self.dropout, self.dtype)
        self.present = _Present(
            self.num_classes,
            self.width,
            self.blocks,
            self.heads,
            self.expansion,
            self.dropout,
            self.log_frequencies,
            self.dtype,
            self.remat,
        )

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
        start = starts(block_size, x_t.shape[1])
        states = self.past(x_0, train=train)
        before = jnp.pad(states, ((0, 0), (1, 0), (0, 0)))[:, :-1]  # that of each position
        before = jnp.take_along_axis(before, start[:, :, None], axis=1)
        inside = start[:, None, :, None] == start[:, None, None, :]
        place = jnp.arange(x_t.shape[1]) - start
        return self.present(x_t, before, place, self._time(t), inside, train=train)

    def start(self, batch: int, length: int, block_size: int) -> Carries:
        """What is carried before the first block, whatever the length: states of the layers."""
        del length
        check_sizes(block_size=block_size)
        return ((jnp.zeros((batch, self.width)),) * 2,) * self.layers

    def read(self, carry: Carries, x: Tokens, p: Place) -> Carries:
        """The carry after the clean block x (B, S), wherever it is."""
        del p
        return self.past.read(carry, x)

    def guess(self, carry: Carries, x_t: Tokens, t: Times, p: Place) -> Logits:
        """The logits of the noisy block x_t (B, S), wherever it is: (B, S, K)."""
        del p
        before = jnp.broadcast_to(carry[-1][1][:, None], (*x_t.shape, self.width))
        before = before.astype(compute_dtype(self.dtype))
        time = self._time(jnp.broadcast_to(t[:, None], x_t.shape))
        return self.present(x_t, before, jnp.arange(x_t.shape[1])[None], time)

    def _time(self, t: Float[Array, "B L"] | None) -> Float[Array, "B L"] | None:
        return t if self.sees_time else None


class _Past(nn.Module):
    """The states of the last LSTM after each clean token."""

    num_classes: int
    width: int
    layers: int
    dropout: float
    dtype: str

    def __call__(self, x: Tokens, *, train: bool = False) -> Series:
        """Of tokens (B, L), from the begin of the text: (B, L, D)."""
        return self._read(x, None, train=train)[0]

    def read(self, carry: Carries, x: Tokens) -> Carries:
        """The states of all layers after tokens (B, S)."""
        return self._read(x, carry)[1]

    @nn.compact
    def _read(
        self, x: Tokens, carry: Carries | None, *, train: bool = False
    ) -> tuple[Series, Carries]:
        size = (self.num_classes, self.width)
        table = self.param("embed", nn.initializers.normal(1.0), size)
        h, states = table.astype(compute_dtype(self.dtype)), []
        h = h if carry is None else h[x]
        for i in range(self.layers):
            lstm = LSTM(self.width, name=f"lstm_{i}")
            if carry is None:
                h = Dropout(self.dropout, deterministic=not train)(lstm(h, x if i == 0 else None))
            else:
                state, h = _walked(lstm, carry[i], h)
                states.append(state)
        return h, tuple(states)


_walked = nn.scan(
    LSTM.step, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=1
)


class _Present(nn.Module):
    """Logits of noisy tokens given what came before their block; fields as of `BlockLSTM`."""

    num_classes: int
    width: int
    blocks: int
    heads: int
    expansion: int
    dropout: float
    log_frequencies: tuple[float, ...] | None
    dtype: str
    remat: bool

    @nn.compact
    def __call__(
        self,
        x_t: Tokens,
        before: Features,
        place: Integer[Array, "#B L"],
        time: Float[Array, "B L"] | None,
        mask: Bool[Array, "#B 1 L L"] | None = None,
        *,
        train: bool = False,
    ) -> Logits:
        h = Rows(self.width, self.num_classes, self.dtype, name="in")(x_t[..., None, None])
        h += Linear(self.width, name="of_past")(before)
        features = distances(place.reshape(-1), PLACES).reshape(*place.shape, -1)
        h += Linear(self.width, name="of_place")(features).astype(h.dtype)
        if time is not None:
            features = time_features(time.reshape(-1)).reshape(*time.shape, -1)
            h += Linear(self.width, name="of_time")(features).astype(h.dtype)
        block = functools.partial(
            recomputed(Block, self.remat),
            heads=self.heads,
            expansion=self.expansion,
            dropout=dropout_of(self.dropout, train),
        )
        h, _ = stacked(block, self.blocks, h, None, 0, mask)
        return logits(rms_norm(h), self.num_classes, self.log_frequencies)
