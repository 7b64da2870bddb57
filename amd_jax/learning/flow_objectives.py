"""Objectives of flows whose first part is an encoding (`transforms/encodings.py`)."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from amd_jax.learning.objectives import NegativeElbo, gradient_only
from amd_jax.models import Flow
from amd_jax.transforms.encodings import Encoding
from amd_jax.types import Array, Key, Nats, Params


@dataclasses.dataclass(frozen=True, eq=False)
class WeightedDecoder(NegativeElbo):
    """-elbo of a flow, with a gradient in which log p(x | z) weighs β times as much.

    β falls from `first` to 1, by half of what is left every `half_life` steps: the classes come
    apart before the flow learns their law. The value is -elbo itself. Lippe and Gavves, 2021, and
    the authors' code: from 2, with a half-life of 5000 steps.
    """

    model: Flow
    first: float = 2.0
    half_life: float = 5000.0

    def __post_init__(self):
        """Raises ValueError for another flow, or a half-life of nothing."""
        part = self.model.transforms[0]
        if not isinstance(part, Encoding):
            raise ValueError(
                f"WeightedDecoder weighs the decoder of an Encoding, the first part of a flow; "
                f"got {type(part).__name__}. Use NegativeElbo."
            )
        if not self.half_life > 0:
            raise ValueError(f"half_life must be above 0; got {self.half_life}.")

    def init(self) -> dict[str, Array]:
        """The number of steps so far."""
        return {"steps": jnp.zeros(())}

    def loss(self, params: Params, memory: dict, rng: Key, x: Array) -> tuple[Nats, tuple]:
        """-elbo per example, (B,) in nats; no evidence."""
        nats, evidence = super().loss(params, memory, rng, x)
        (name, encoding), *_ = self.model.chain.named()
        rng_same = jax.random.fold_in(rng, 0)  # the chain's, so that it is the same draw
        decoded = encoding.decoded(params[name], rng_same, x, train=True)
        more = (self.first - 1) * jnp.exp(-math.log(2) / self.half_life * memory["steps"])
        return nats - gradient_only(more * decoded), evidence

    def update(self, memory: dict, evidence: tuple) -> dict:
        """One more step."""
        return {"steps": memory["steps"] + 1}
