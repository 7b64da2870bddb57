"""Networks of latent flows of sequences: LSTMs that know how far the two ends are.

Ziegler and Rush, 2019, and the authors' code. `longest` is how many distances they tell apart:
at least the length of a sequence. They compute in the dtype of their input and parameters.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.networks.blocks import check_counts, check_sizes
from amd_jax.networks.lstm import Linear
from amd_jax.networks.primitives.depthwise import shift
from amd_jax.networks.recurrent import LSTM, bidirectional
from amd_jax.networks.shapes import Features, Place, Vectors
from amd_jax.types import Array, Latents, Series, Tokens

small = nn.initializers.variance_scaling(0.01, "fan_in", "normal")


def ends(p: Integer[Array, "*shape"] | int, length: int, longest: int) -> Float[Array, "*shape F"]:
    """Indicators of the distances of places p to the first and the last; F = 2 longest."""
    if length > longest:
        raise ValueError(
            f"This network knows places in sequences of up to longest={longest}; got "
            f"{length} steps. Build it with longest={length}."
        )
    both = [jax.nn.one_hot(distance, longest) for distance in (p, length - 1 - p)]
    return jnp.concatenate(both, axis=-1)


def _placed(v: Series, longest: int, first: int = 0) -> Features:
    """v beside `ends` of the places from `first` on."""
    _, length, _ = v.shape
    places = ends(jnp.arange(length) + first, length, longest).astype(v.dtype)
    return jnp.concatenate([v, jnp.broadcast_to(places, (len(v), *places.shape))], axis=-1)


class LatentEncoder(nn.Module):
    """Numbers of each token's latent, given all tokens: x (B, L) -> (B, L, num_outputs)."""

    num_classes: int
    num_outputs: int
    width: int  # of the embedding and of each direction
    longest: int
    layers: int = 1

    @nn.compact
    def __call__(self, x: Tokens, *, train: bool = False) -> Features:
        """The outputs for tokens x; `train` changes nothing."""
        check_sizes(width=self.width, layers=self.layers)
        check_counts(layers=self.layers)
        h = _placed(nn.Embed(self.num_classes, self.width, name="embed")(x), self.longest)
        for i in range(self.layers):
            h = bidirectional(h, self.width, i)
        return Linear(self.num_outputs, kernel_init=small, name="out")(h)


class LatentDecoder(nn.Module):
    """Logits of each token, given all latents: z (B, L, D) -> (B, L, num_classes).

    The last layer reads the own latent as it is, beside the LSTMs' states next to it.
    """

    num_classes: int
    width: int  # of each direction
    longest: int
    layers: int = 1

    @nn.compact
    def __call__(self, z: Latents, *, train: bool = False) -> Features:
        """The logits for latents z; `train` changes nothing."""
        check_sizes(width=self.width, layers=self.layers)
        check_counts(layers=self.layers)
        h = _placed(z, self.longest)
        for i in range(self.layers):
            h = bidirectional(h, self.width, i)
        forward, backward = jnp.split(h, 2, axis=-1)
        h = jnp.concatenate([z, shift(forward, 1), shift(backward, -1)], axis=-1)
        return Linear(self.num_classes, name="out")(h)


class LatentLSTM(nn.Module):
    """Features of each step from the steps before it: v (B, L, C) -> (B, L, width).

    Those at p depend on v[:, :p] and on the distances of p to both ends; those at 0 are where
    the LSTMs start. `start` and `advance` walk, as `transforms.recurrent.Recurrent` asks.
    """

    width: int
    longest: int
    layers: int = 1

    def setup(self):
        check_sizes(width=self.width, layers=self.layers)
        check_counts(layers=self.layers)
        self.wide = Linear(self.width)
        self.states = Linear(2 * self.layers * self.width)
        self.lstm = [LSTM(self.width) for _ in range(self.layers)]

    def __call__(self, v: Latents, *, train: bool = False) -> Features:
        """The features, all at once; `train` changes nothing."""
        carries, first = self.start(*v.shape[:2])
        h = _placed(v, self.longest, first=1)
        for lstm, carry in zip(self.lstm, carries, strict=True):
            h = lstm(h, carry=carry)
        return jnp.concatenate([first[:, None], h[:, :-1]], axis=1)

    def start(self, batch: int, length: int) -> tuple[tuple, Vectors]:
        """What `advance` carries, and the features, of the first of `length` steps."""
        h = self.states(nn.relu(self.wide(ends(jnp.array(0), length, self.longest))))
        h = jnp.broadcast_to(h, (batch, *h.shape)).reshape(batch, self.layers, 2, self.width)
        return tuple((h[:, i, 0], h[:, i, 1]) for i in range(self.layers)), h[:, -1, 1]

    def advance(self, carries: tuple, v: Latents, p: Place, length: int) -> tuple[tuple, Vectors]:
        """Goes to step p of `length` with v of step p - 1: carry and features."""
        places = ends(p, length, self.longest).astype(v.dtype)
        h = jnp.concatenate([v, jnp.broadcast_to(places, (len(v), len(places)))], axis=-1)
        after = []
        for lstm, carry in zip(self.lstm, carries, strict=True):
            carry, h = lstm.step(carry, h)
            after.append(carry)
        return tuple(after), h
