"""The step of a variational auto-encoder, as a transform."""

import dataclasses
from typing import Any

import jax

from amd_jax.ops import categorical
from amd_jax.transforms import conditioner
from amd_jax.transforms.laws import Conditional, Family
from amd_jax.types import Array, Key, Nats, Params


@dataclasses.dataclass(frozen=True, eq=False)
class AutoEncoder:
    """z ~ q(z | x) one way, x ~ p(x | z) the other, with log p(x | z) - log q(z | x) nats.

    Given z the tokens are independent, each of the law that the decoder reads off all of z. What
    follows in a `Flow` is the prior p(z). A stochastic transform (Nielsen et al., 2020, sec. 3.1)
    of Kingma and Welling, 2014: `inverse` draws, and does not undo `forward`.
    """

    encoder: Conditional  # q(z | x), or another law of z (B, ..., *event) with a context
    family: Family  # of a token, with `num_classes` K: `laws.Categorical(K)`
    decoder: Any  # a `conditioner`: z -> theta (B, ..., P) of the family

    def init(self, rng: Key, x: Array) -> Params:
        rng_encoder, rng_draw, rng = jax.random.split(rng, 3)
        encoder = self.encoder.init(rng_encoder, x)
        z, _ = self.encoder.sample_and_log_prob(encoder, rng_draw, x)
        return {
            "encoder": encoder,
            "decoder": conditioner.init(self.decoder, rng, z, self._shape(z)),
        }

    def forward(
        self, params: Params, rng: Key, x: Array, *, train: bool = False
    ) -> tuple[Array, Nats]:
        """X (B, ...) int -> z (B, ..., *event), and log p(x | z) - log q(z | x) (B,)."""
        z, log_p, log_q = self.draw(params, rng, x, train=train)
        return z, log_p - log_q

    def inverse(self, params: Params, rng: Key, z: Array) -> Array:
        """Z (B, ..., *event) -> a draw of x (B, ...)."""
        theta = conditioner.apply(self.decoder, params["decoder"], rng, z, self._shape(z))
        return self.family.sample(rng, theta)

    def draw(
        self, params: Params, rng: Key, x: Array, *, train: bool = False
    ) -> tuple[Array, Nats, Nats]:
        """Z ~ q(z | x) with log p(x | z), (B,), and log q(z | x), (B,)."""
        rng_encoder, rng = jax.random.split(rng)
        known = categorical.inside(x, self.family.num_classes)
        z, log_q = self.encoder.sample_and_log_prob(params["encoder"], rng_encoder, x, train=train)
        shape, found = self._shape(z), params["decoder"]
        theta = conditioner.apply(self.decoder, found, rng, z, shape, train=train)
        return z, known + categorical.sum_event(self.family.log_prob(theta, x)), log_q

    def _shape(self, z: Array) -> tuple[int, ...]:
        event = z.shape[: z.ndim - len(self.encoder.event)]
        return (*event, self.family.num_parameters)
