"""HollowMap: a denoiser of label maps that cannot see the pixel it predicts."""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.networks import embeddings
from amd_jax.networks.blocks import (
    Block,
    Linear,
    check_counts,
    check_sizes,
    joined,
    known_mask,
    logits,
    marked,
    rms_norm,
    time_features,
)
from amd_jax.networks.precision import compute_dtype, dropout_of
from amd_jax.networks.primitives.depthwise import shift
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.shapes import Features, Read, Vectors
from amd_jax.types import Array, Flags, Latents, Logits, Times

WIDEST = 32  # window: of each of its pixels the program has a shifted map
BESIDE = 4  # pixels of the own row that a block looks back
ABOVE = (  # own place first, then the own row and the last, five columns
    (0, 0),
    *((0, column) for column in (-2, -1, 1, 2)),
    *((1, column) for column in range(-2, 3)),
)
AROUND = ((0, 0), *((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)))


class HollowMap(nn.Module):
    """Two causal towers in raster order, joined per pixel: (B, H, W) -> logits (B, H, W, K).

    One tower reads what comes before a pixel: first the rows above it, then the own row up to
    it (van den Oord et al., 2016, sec. 2.3). The other does so on the map turned around. The
    logits at a pixel depend on every pixel in reach but its own (Sun et al., 2023, sec. 4.2): so
    the network learns from plain cross-entropy, and the bound's expectation over the own pixel is
    exact.

    With a `size` (H, W) rows have a label before the pixels: (B, 1 + H W) -> (B, 1 + H W, K). The
    label's state, a mask or not, goes to every block of the two towers beside the time. Its own
    logits are those of a third tower, which sees all pixels and no label, pooled over the map.
    """

    num_classes: int  # K
    width: int = 64  # D of each tower
    dilations: tuple[int, ...] = (1, 2)  # of the blocks for the rows above, and of those beside
    window: int = 3  # rows above, and columns to each side, that the towers start from
    join_width: int = 96
    join_blocks: int = 2
    dropout: float = 0.0
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards
    sees_known: bool = False  # whether it is told which tokens are data, and not noisy
    size: tuple[int, ...] = ()  # (H, W) of maps with a label; () without labels

    leave_one_out = True

    @nn.compact
    def __call__(
        self, x_t: Read, t: Times, *, train: bool = False, known: Flags | None = None
    ) -> Logits:
        """Logits, float32.

        `known` has an effect with `sees_known` only; by default nothing is known.
        """
        check_sizes(width=self.width, window=self.window, join_width=self.join_width)
        check_sizes(dilations=min(self.dilations, default=1))
        check_counts(join_blocks=self.join_blocks)
        check_counts(WIDEST, window=self.window)
        time = time_features(t)
        dropout = dropout_of(self.dropout, train)
        block = functools.partial(recomputed(Block, self.remat), dropout=dropout)
        tokens = embeddings.one_hots(x_t, self.num_classes, compute_dtype(self.dtype))
        if self.sees_known:
            tokens = marked(tokens, known_mask(x_t, known))
        if self.size:
            label, tokens = tokens[:, 0], self.unfolded(tokens)
            of_label = self.whole(tokens, time, block)  # before the time knows the label
            time += Linear(time.shape[-1], name="label_in")(label)
        before = self.tower("before", tokens, time, block)
        turned = jnp.flip(tokens, (1, 2))
        after = jnp.flip(self.tower("after", turned, time, block), (1, 2))
        h = joined([before, after], time, self.join_width, self.join_blocks, block)
        if self.size:
            h = jnp.concatenate([of_label, h.reshape(len(h), -1, h.shape[-1])], axis=1)
        return logits(h, self.num_classes, self.log_frequencies)

    def unfolded(self, tokens: Features) -> Float[Array, "B H W C"]:
        """The pixels of rows (B, 1 + H W, C) as maps."""
        if tokens.ndim != 3 or tokens.shape[1] != 1 + math.prod(self.size):
            raise ValueError(
                f"HollowMap with size={self.size} is for rows of a label and "
                f"{math.prod(self.size)} pixels; got x of shape {tokens.shape[:-1]}."
            )
        return tokens[:, 1:].reshape(len(tokens), *self.size, -1)

    def whole(
        self, tokens: Latents, time: Vectors, block: Callable[..., nn.Module]
    ) -> Float[Array, "B 1 D"]:
        """Features of whole maps (B, H, W, C): means and maxima of those of all pixels."""
        h = Linear(self.width, name="label_pixels")(tokens)
        for i, dilation in enumerate(self.dilations):
            far = tuple((dilation * row, dilation * column) for row, column in AROUND)
            h = block(offsets=far, name=f"label_{i}")(h, time)
        h = nn.relu(Linear(2 * self.width, name="label_features")(rms_norm(h)))
        wide = h.astype(jnp.float32)
        pooled = jnp.concatenate([wide.mean((1, 2)), h.max((1, 2))], axis=-1)[:, None]
        h = Linear(self.join_width, name="label_join")(pooled.astype(h.dtype))
        return rms_norm(block(name="label_joint")(h, time))

    def tower(
        self, name: str, tokens: Latents, time: Vectors, block: Callable[..., nn.Module]
    ) -> Float[Array, "B *event D"]:
        """Features of the pixels before each, by `block`s."""

        def blocks(part: str, h: Array, offsets: tuple[tuple[int, int], ...]) -> Array:
            for i, dilation in enumerate(self.dilations):
                far = tuple((dilation * row, dilation * column) for row, column in offsets)
                h = block(offsets=far, name=f"{name}_{part}_{i}")(h, time)
            return h

        rows = range(1, self.window + 1)
        columns = range(-self.window, self.window + 1)
        seen = [shift(tokens, row, column) for row in rows for column in columns]
        h = Linear(self.width, name=f"{name}_above_in")(jnp.concatenate(seen, axis=-1))
        h = blocks("above", (h + self.places(name, tokens.shape)).astype(h.dtype), ABOVE)
        seen = [shift(tokens, 0, column) for column in range(1, self.window + 1)]
        beside = jnp.concatenate([rms_norm(h), *seen], axis=-1)
        h = Linear(self.width, name=f"{name}_beside_in")(beside)
        return rms_norm(blocks("beside", h, tuple((0, j) for j in range(BESIDE + 1))))

    def places(self, name: str, shape: tuple[int, ...]) -> Float[Array, "H W D"]:
        """A learned vector for each row plus one for each column."""
        _, height, width, _ = shape
        if self.has_variable("params", f"{name}_rows"):
            known = tuple(
                len(self.get_variable("params", f"{name}_{axis}")) for axis in ("rows", "columns")
            )
            if known != (height, width):
                raise ValueError(
                    f"HollowMap was initialised for maps of {known[0]} x {known[1]}; got "
                    f"{height} x {width}. Initialise it with maps of that size."
                )
        zeros = nn.initializers.zeros
        rows = self.param(f"{name}_rows", zeros, (height, self.width))
        columns = self.param(f"{name}_columns", zeros, (width, self.width))
        return rows[:, None] + columns
