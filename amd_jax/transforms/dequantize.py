"""Dequantisation: classes as intervals of the line, for the paper's baselines.

Class k becomes a point of [k / K, (k + 1) / K), but for a margin at both ends, so that rounding
never leaves the interval; a point outside [0, 1) comes back as `integers.UNUSED`. Hoogeboom et
al., 2021, sec. 5; Ho et al., 2019, sec. 3.1.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from amd_jax.ops import categorical, integers
from amd_jax.transforms.laws import Encoder
from amd_jax.types import Key, Nats, Params, PerToken, Tokens

MARGIN = 2.0**-13  # m, of an interval at either end


@dataclasses.dataclass(frozen=True, eq=False)
class Uniform:
    """z = (x + m + (1 - 2m) u) / K with u uniform in [0, 1) and the margin m."""

    num_classes: int  # K

    def init(self, rng: Key, x: Tokens) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[PerToken, Nats]:
        """z in [0, 1) and -log q(z | x)."""
        return _place(x, jax.random.uniform(rng, x.shape), self.num_classes, jnp.zeros(x.shape[0]))

    def inverse(self, params: Params, rng: Key, z: PerToken) -> Tokens:
        return _floor(z, self.num_classes)


@dataclasses.dataclass(frozen=True, eq=False)
class Variational:
    """z = (x + m + (1 - 2m) σ(a)) / K with a ~ q(a | x) and the margin m.

    q(z | x) is a density on the interval for every encoder, however sure: a value that is clipped
    to the interval instead would have mass at its ends, and what is no density gives no bound.
    """

    num_classes: int  # K
    encoder: Encoder  # q(a | x), a of x's shape

    def init(self, rng: Key, x: Tokens) -> Params:
        return self.encoder.init(rng, x)

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[PerToken, Nats]:
        """z in [0, 1) and -log q(z | x)."""
        a, log_q = self.encoder.sample_and_log_prob(params, rng, x, train=train)
        log_slope = categorical.sum_event(jax.nn.log_sigmoid(a) + jax.nn.log_sigmoid(-a))
        return _place(x, jax.nn.sigmoid(a), self.num_classes, log_slope - log_q)

    def inverse(self, params: Params, rng: Key, z: PerToken) -> Tokens:
        return _floor(z, self.num_classes)


def _place(x: Tokens, u: PerToken, num_classes: int, nats: Nats | float) -> tuple[PerToken, Nats]:
    """(x + m + (1 - 2m) u) / K, and the nats with the log-slope of that map."""
    size, known = x.size / x.shape[0], categorical.inside(x, num_classes)
    z = (x + MARGIN + (1 - 2 * MARGIN) * u) / num_classes
    return z, known + nats + size * math.log((1 - 2 * MARGIN) / num_classes)


def _floor(z: PerToken, num_classes: int) -> Tokens:
    """The class of each point."""
    return integers.valid(jnp.floor(z * num_classes).astype(jnp.int32), num_classes)
