"""Networks of the text argmax flows: LSTMs that emit the parameters of mixture-CDF layers.

Hoogeboom et al., 2021, and the authors' code. A layer of M logistics needs P = 2 + 3 M parameters
per scalar, in the order t, log_s, log_pi (M), mixt_t (M), mixt_log_s (M).
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.networks import blocks
from amd_jax.networks.blocks import check_counts, check_sizes
from amd_jax.networks.precision import compute_dtype, dropout_of
from amd_jax.networks.primitives.depthwise import shift
from amd_jax.networks.primitives.matmul import matmul
from amd_jax.networks.recurrent import LSTM, bidirectional
from amd_jax.networks.shapes import Features, Place, Vectors
from amd_jax.types import Array, Floats, Latents, Series

zeros = nn.initializers.zeros
lecun = nn.initializers.lecun_normal
gelu = blocks.gelu(exact=True)
Linear = functools.partial(blocks.Linear, use_bias=True)
Parameters = Float[Array, "B *event C P"] | Float[Array, "B *event P"]  # of all channels, or one


class StepFeatures(nn.Module):
    """Features of each step of a sequence by itself: v (B, L, C) -> (B, L, features // 2).

    Two dense layers of v_p, beside a learned code of the distances p and L - 1 - p to the ends.
    In training, `dropout` is the probability that a step shows nothing but its code. They also
    read sines and cosines of 2^j v_p for j < `octaves`, which tell apart what lies close together
    (Kingma et al., 2021, sec. 5.2).
    """

    features: int
    dropout: float = 0.0
    octaves: int = 0

    @nn.compact
    def __call__(self, v: Latents, p: Place | None = None, *, train: bool = False) -> Features:
        """Of all steps; or with p of that step alone, given as v (B, C)."""
        if self.features < 8:
            raise ValueError(f"StepFeatures needs features >= 8; got features={self.features}.")
        rate = dropout_of(self.dropout, train)
        places = self.features // 8
        turns = (v[..., None] * 2.0 ** jnp.arange(self.octaves)).reshape(*v.shape[:-1], -1)
        v = jnp.concatenate([v, jnp.sin(turns), jnp.cos(turns)], axis=-1).astype(v.dtype)
        e = gelu(Linear(self.features // 2, name="wide")(v))
        e = gelu(Linear(self.features // 2 - places, name="narrow")(e))
        if rate:  # not rescaled
            keep = jax.random.bernoulli(self.make_rng("dropout"), 1 - rate, e.shape[:-1])
            e = jnp.where(keep[..., None], e, 0.0)
        code = self._code(e.shape[1] if p is None else None, places)
        code = code if p is None else jax.lax.dynamic_index_in_dim(code, p, keepdims=False)
        code = jnp.broadcast_to(code, (*e.shape[:-1], places)).astype(e.dtype)
        return jnp.concatenate([e, code], axis=-1)

    def _code(self, length: int | None, places: int) -> Float[Array, "L places"]:
        """A row for the distance to the start plus one for that to the end."""
        if self.has_variable("params", "places"):
            known = len(self.get_variable("params", "places")) // 2
            if length not in (None, known):
                raise ValueError(
                    f"StepFeatures has a code for sequences of the length it was initialised "
                    f"with, L={known}; got L={length}. Initialise it for {length}."
                )
            length = known
        assert length is not None  # a step alone is of a network that has seen a sequence
        table = self.param("places", lecun(), (2 * length, places))
        bias = self.param("places_bias", zeros, (places,))
        return table[:length] + table[length:][::-1] + bias


class MixtureParameters(nn.Module):
    """Bounds both log-scales and passes the rest on: raw (..., C, P) -> (..., C, P).

    log_s <- S tanh(log_s / max(S, 1)) with S = exp(scaling_factor) learned per channel;
    mixt_log_s likewise, with an S per channel and component.
    """

    components: int

    @nn.compact
    def __call__(self, raw: Floats, channel: int | None = None) -> Floats:
        """Of all channels; or of one alone, (..., P) -> (..., P)."""
        m = self.components
        one: int | slice = slice(None) if channel is None else channel
        if channel is None:
            channels = raw.shape[-2]
        else:
            channels = len(self.get_variable("params", "scaling_factor"))
        scale = self.param("scaling_factor", zeros, (channels,))[:, None][one]
        mixture_scale = self.param("mixture_scaling_factor", zeros, (channels, m))[one]
        t, log_s, middle, mixt_log_s = jnp.split(raw, [1, 2, 2 + 2 * m], axis=-1)
        bounded = [t, _bound(log_s, scale), middle, _bound(mixt_log_s, mixture_scale)]
        return jnp.concatenate(bounded, axis=-1)


def _bound(log_scale, scaling_factor):
    largest = jnp.exp(scaling_factor)
    return jnp.tanh(log_scale / jnp.maximum(largest, 1.0)) * largest


def first_parameters(components):
    """Biases whose logistics lie apart, so that each finds its own share: (..., P)."""

    def init(rng, shape, dtype=jnp.float32):
        del rng
        spread = jnp.linspace(-1.0, 1.0, components) if components > 1 else jnp.zeros(1)
        row = jnp.pad(spread, (2 + components, components))
        return jnp.tile(row, (*shape[:-1], shape[-1] // len(row))).astype(dtype)

    return init


class ChannelNet(nn.Module):
    """Raw parameters of each channel, given the position's features and the channels before it.

    Channel c offers (v_c, elu(v_c), elu(-v_c)), which become E units of its own; channel d has
    F // 2 hidden units, which see the F features and the units of all c < d. In the dtype of both
    inputs; the last layer in float32.
    """

    components: int

    @nn.compact
    def __call__(self, features: Features, v: Latents, channel: int | None = None) -> Parameters:
        """The parameters of all channels, or of one alone."""
        channels, wide = v.shape[-1], features.shape[-1]
        hidden, out_size = wide // 2, 2 + 3 * self.components
        some = slice(None) if channel is None else slice(channel, channel + 1)
        earlier = channels - 1 if channel is None else channel
        kernel = self.param("hidden", lecun(0, (1, 2)), (wide, channels, hidden))
        bias = self.param("hidden_bias", zeros, (channels, hidden))
        h = matmul(features, kernel[:, some].reshape(wide, -1))
        if channels > 1:
            h = h + self._from_earlier(v, wide, earlier, some)
        h = h.reshape(*v.shape[:-1], -1, hidden) + bias[some]
        h = gelu(h.astype(v.dtype)).astype(jnp.float32)
        small = nn.initializers.variance_scaling(0.01, "fan_in", "normal", batch_axis=0)
        kernel = self.param("out", small, (channels, hidden, out_size))
        bias = self.param("out_bias", first_parameters(self.components), (channels, out_size))
        raw = jnp.einsum("...ch,chp->...cp", h, kernel[some]) + bias[some]
        return raw if channel is None else raw[..., 0, :]

    def _from_earlier(self, v, wide, earlier, some):
        """What the first `earlier` channels add to the hidden units of `some` channels."""
        channels, hidden = v.shape[-1], wide // 2
        units = min(max(1, int(0.5625 * wide / (channels - 1))), 96)
        kernel = self.param("own", lecun(1, 2, batch_axis=0), (channels - 1, 3, units))
        bias = self.param("own_bias", zeros, (channels - 1, units))
        to_hidden = self.param(
            "own_to_hidden", lecun((0, 1), (2, 3)), (channels - 1, units, channels, hidden)
        )
        if not earlier:
            return 0.0
        v = v[..., :earlier]
        own = jnp.stack([v, nn.elu(v), nn.elu(-v)], axis=-1)
        own = jnp.einsum("...ci,ciu->...cu", own, kernel[:earlier].astype(v.dtype))
        own = gelu((own + bias[:earlier]).astype(v.dtype))
        visible = jnp.arange(earlier)[:, None] < jnp.arange(channels)[some]
        to_hidden = jnp.where(visible[:, None, :, None], to_hidden[:earlier, :, some], 0.0)
        rows = earlier * units
        return matmul(own.reshape(*v.shape[:-1], rows), to_hidden.reshape(rows, -1))


class AutoregressiveLSTM(nn.Module):
    """Mixture parameters of each scalar given all before it: v (B, L, C) -> (B, L, C, P).

    Those at (p, c) depend on v[:, :p] through an LSTM over positions, and on v[:, p, :c] through
    a masked net over channels. To invert it, go through the positions with `start` and `advance`,
    and through the channels of each with `channel`: O(L C) small steps in all.
    """

    features: int  # H, of the LSTM
    components: int  # M, logistics in a mixture
    input_dropout: float = 0.0  # of whole steps
    layers: int = 1
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    def setup(self):
        check_sizes(components=self.components, layers=self.layers)
        check_counts(layers=self.layers)
        self.steps = StepFeatures(self.features, self.input_dropout)
        self.lstm = [LSTM(self.features) for _ in range(self.layers)]
        self.narrow = Linear(self.features // 2)
        self.channels = ChannelNet(self.components)
        self.bounds = MixtureParameters(self.components)

    def __call__(self, v: Series, *, train: bool = False) -> Float[Array, "B L C P"]:
        """The parameters, all at once."""
        v = v.astype(compute_dtype(self.dtype))
        h = shift(self.steps(v, train=train), 1)
        for lstm in self.lstm:
            h = lstm(h)
        return self.bounds(self.channels(gelu(self.narrow(h)), v))

    def start(self, batch: int, length: int) -> tuple:
        """What `advance` carries before the first position; `length` changes nothing."""
        return tuple(lstm.start(batch) for lstm in self.lstm)

    def advance(self, carry: tuple, previous: Latents, p: Place) -> tuple[tuple, Vectors]:
        """Goes to position p with v of position p - 1: the carry, and the features of p."""
        previous = previous.astype(compute_dtype(self.dtype))
        h = jnp.where(p > 0, self.steps(previous, jnp.maximum(p - 1, 0)), 0.0)
        states = []
        for lstm, state in zip(self.lstm, carry, strict=True):
            state, h = lstm.step(state, h)
            states.append(state)
        return tuple(states), gelu(self.narrow(h))

    def channel(self, features: Vectors, v: Latents, c: int) -> Float[Array, "B P"]:
        """The parameters of channel c of a position; reads the channels of v before c only."""
        return self.bounds(self.channels(features, v.astype(features.dtype), c), c)


class BidirectionalLSTM(nn.Module):
    """Mixture parameters of some channels given the others: (B, L, C) -> (B, L, channels, P)."""

    features: int  # H, of each direction
    channels: int  # that are transformed
    components: int  # M, logistics in a mixture
    layers: int = 2
    input_dropout: float = 0.0  # of whole steps
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    @nn.compact
    def __call__(self, v: Series, *, train: bool = False) -> Float[Array, "B L channels P"]:
        """The parameters for v, the channels that condition."""
        check_sizes(channels=self.channels, components=self.components, layers=self.layers)
        check_counts(layers=self.layers)
        v = v.astype(compute_dtype(self.dtype))
        h = StepFeatures(self.features, self.input_dropout, name="steps")(v, train=train)
        for i in range(self.layers):
            h = bidirectional(h, self.features, i)
        h = gelu(Linear(self.features, name="narrow")(h))
        small = nn.initializers.variance_scaling(0.01, "fan_in", "normal")
        bias = first_parameters(self.components)
        size = self.channels * (2 + 3 * self.components)
        raw = Linear(size, kernel_init=small, bias_init=bias, name="out")(h.astype(jnp.float32))
        return MixtureParameters(self.components, name="bounds")(
            raw.reshape(*v.shape[:2], self.channels, -1)
        )
