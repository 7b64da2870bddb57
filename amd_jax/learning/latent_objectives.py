"""Objectives of flows that start with an encoding, whose parts of the bound have weights."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.learning.objectives import gradient_only
from amd_jax.models import Flow
from amd_jax.transforms.chain import Chain
from amd_jax.transforms.encodings import Encoding
from amd_jax.types import Array, Key, Nats, Params, Tokens

Steps = Float[Array, ""]
Rows = Integer[Array, ""]


@dataclasses.dataclass(frozen=True, eq=False)
class WeightedDecoder:
    """-elbo, with a gradient in which log p(x | z) weighs β times as much.

    β falls from `first` to 1, by half of what is left every `half_life` steps: the classes come
    apart before the flow learns their law. The value is -elbo itself. Lippe and Gavves, 2021, and
    the authors' code, with the defaults given here.
    """

    model: Flow
    first: float = 2.0
    half_life: float = 5000.0

    def __post_init__(self):
        """Raises ValueError for another flow, or a half-life of nothing."""
        _encoding(self)
        if not self.half_life > 0:
            raise ValueError(f"half_life must be above 0; got {self.half_life}.")

    def init(self) -> Steps:
        """No steps taken."""
        return jnp.zeros(())

    def loss(self, params: Params, memory: Steps, rng: Key, x: Tokens) -> tuple[Nats, tuple]:
        """-elbo per example; no evidence."""
        log_p, kl = _terms(self, params, rng, x)
        more = (self.first - 1) * jnp.exp(-math.log(2) / self.half_life * memory)
        return kl - log_p - gradient_only(more * log_p), ()

    def update(self, memory: Steps, evidence: tuple) -> Steps:
        """The steps taken after one more."""
        return memory + 1


@dataclasses.dataclass(frozen=True, eq=False)
class WarmedElbo:
    """-log p(x | z) + weight (log q(z | x) - log p(z)).

    The weight is 0 for the first rows, then rises to 1, where this is -elbo. Without that, a
    decoder learns to ignore z before z says anything (Bowman et al., 2016, sec. 3.1). The memory
    is the number of rows seen.
    """

    model: Flow
    without: int  # rows seen with the weight 0
    rising: int  # rows seen on its way to 1

    def __post_init__(self):
        """Raises ValueError for another flow, or a number of rows below 0."""
        _encoding(self)
        if min(self.without, self.rising) < 0:
            raise ValueError(
                f"Rows are at least 0; got without={self.without}, rising={self.rising}."
            )

    def init(self) -> Rows:
        """No rows seen."""
        return jnp.zeros((), jnp.int32)

    def weight(self, memory: Rows) -> Float[Array, ""]:
        """The weight of the KL after so many rows."""
        risen = (memory - self.without) / max(1, self.rising)
        return risen.clip(0.0, 1.0).astype(jnp.float32)

    def loss(self, params: Params, memory: Rows, rng: Key, x: Tokens) -> tuple[Nats, Rows]:
        """The loss per example; the number of rows of x."""
        log_p, kl = _terms(self, params, rng, x)
        return self.weight(memory) * kl - log_p, jnp.array(len(x), jnp.int32)

    def update(self, memory: Rows, evidence: Rows) -> Rows:
        """The rows seen after one step."""
        return memory + evidence


def _encoding(objective: WeightedDecoder | WarmedElbo) -> Encoding:
    """What the flow starts with; ValueError for something else."""
    first = objective.model.transforms[0]
    if not isinstance(first, Encoding):
        raise ValueError(
            f"{type(objective).__name__} weighs parts of a flow that starts with an Encoding; "
            f"this one starts with {type(first).__name__}. Use NegativeElbo."
        )
    return first


def _terms(
    objective: WeightedDecoder | WarmedElbo, params: Params, rng: Key, x: Tokens
) -> tuple[Nats, Nats]:
    """log p(x | z) and log q(z | x) - log p(z) of the draws that the elbo makes."""
    model, first = objective.model, _encoding(objective)
    (name, _), *_ = model.chain.named()
    rest = Chain(model.transforms[1:], first=1)
    z, log_p, log_q = first.draw(params[name], jax.random.fold_in(rng, 0), x, train=True)
    z, nats = rest.forward(params, rng, z, train=True)
    return log_p, log_q - nats - model.base.log_prob(params.get("base", {}), z)
