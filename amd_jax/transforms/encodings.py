"""Encodings: a class becomes a draw from a law of its own, and a decoder says whose draw it is.

Each `forward` maps classes x to z ~ q(z | x) and to log p(x | z) - log q(z | x); `inverse` draws
x ~ p(x | z). Categorical normalising flows: Lippe and Gavves, 2021, sec. 3.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from amd_jax.ops import categorical
from amd_jax.transforms import conditioner
from amd_jax.transforms.conditional import ConditionalFlow
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.transforms.laws import Conditional
from amd_jax.types import Key, Latents, Logits, Nats, Params, Tokens


@dataclasses.dataclass(frozen=True, eq=False)
class Bayes:
    """p(x | z) ∝ π_x q(z | x): the posterior of an encoder that reads each token by itself.

    On the base Σ_k π_k q(z | k) of every place each single draw of the bound is log π_x.
    """

    log_prior: ArrayLike = 0.0  # log π (K,), not necessarily normalised; 0 for a uniform one

    def init(self, rng: Key, z: Latents, num_classes: int) -> Params:
        """It has no parameters of its own."""
        return {}

    def log_probs(
        self, params: Params, z: Latents, num_classes: int, log_q: Callable[[], Logits]
    ) -> Logits:
        """log p(x = k | z) of every k; `log_q()` is log q(z | k)."""
        return jax.nn.log_softmax(jnp.asarray(self.log_prior) + log_q())


@dataclasses.dataclass(frozen=True, eq=False)
class Learned:
    """p(x | z) read off z by a network, for any encoder."""

    network: Conditioner  # z (B, ..., D) -> logits (B, ..., K)

    def init(self, rng: Key, z: Latents, num_classes: int) -> Params:
        """Parameters for latents like `z`."""
        return conditioner.init(self.network, rng, z, (*z.shape[:-1], num_classes))

    def log_probs(
        self, params: Params, z: Latents, num_classes: int, log_q: Callable[[], Logits]
    ) -> Logits:
        """log p(x = k | z) of every k; does without `log_q`."""
        shape = (*z.shape[:-1], num_classes)
        return jax.nn.log_softmax(conditioner.apply(self.network, params, None, z, shape))


@dataclasses.dataclass(frozen=True, eq=False)
class Encoding:
    """z ~ q(z | x), decoded by p(x | z).

    A logistic of its own for each class is their mixture encoding (`laws.Conditional`), a flow
    given the class their linear flows (`conditional.linear_flow`), and a flow given all tokens,
    with a `Learned` decoder, their variational encoding. They decode by argmax, and draw noise
    that is truncated at 5e-5 without a word of it in q; here both are what the bound says.
    With a decoder that reads all of z it is the step of a variational auto-encoder (Kingma and
    Welling, 2014), and what follows in a `Flow` is its prior.
    """

    num_classes: int  # K
    encoder: Conditional | ConditionalFlow  # q(z | x), z (B, ..., D): event=(D,)
    decoder: Bayes | Learned = Bayes()

    def init(self, rng: Key, x: Tokens) -> Params:
        rng_encoder, rng_draw, rng_decoder = jax.random.split(rng, 3)
        params = {"encoder": self.encoder.init(rng_encoder, x)}
        z, _ = self.encoder.sample_and_log_prob(params["encoder"], rng_draw, x)
        decoder = self.decoder.init(rng_decoder, z, self.num_classes)
        return {**params, "decoder": decoder} if jax.tree.leaves(decoder) else params

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[Latents, Nats]:
        """z and log p(x | z) - log q(z | x)."""
        z, log_p, log_q = self.draw(params, rng, x, train=train)
        return z, log_p - log_q

    def draw(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[Latents, Nats, Nats]:
        """Z ~ q(z | x) with log p(x | z) and log q(z | x)."""
        z, log_q = self.encoder.sample_and_log_prob(params["encoder"], rng, x, train=train)
        own = categorical.gather(self.log_probs(params, z), x)
        known = categorical.inside(x, self.num_classes)  # NaN for tokens of no class
        return z, known + categorical.sum_event(own), log_q

    def inverse(self, params: Params, rng: Key, z: Latents) -> Tokens:
        return categorical.sample(rng, jnp.exp(self.log_probs(params, z)))

    def log_probs(self, params: Params, z: Latents) -> Logits:
        """log p(x = k | z) of every k."""

        def log_q() -> Logits:
            """log q(z | k) of every k, every place as a row by itself."""
            rows, classes = z.reshape(-1, z.shape[-1]), jnp.arange(self.num_classes)
            result = jax.vmap(lambda k: self.encoder.log_prob(params["encoder"], rows, k[None]))(
                classes
            )
            return result.T.reshape(*z.shape[:-1], self.num_classes)

        return self.decoder.log_probs(params.get("decoder", {}), z, self.num_classes, log_q)
