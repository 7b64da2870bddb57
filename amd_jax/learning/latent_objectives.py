"""What the optimiser minimises of flows with a latent: the KL comes in late."""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax.learning.objectives import NegativeElbo
from amd_jax.models import Flow
from amd_jax.transforms.chain import Chain
from amd_jax.types import Array, Key, Nats, Params


@dataclasses.dataclass(frozen=True, eq=False)
class WarmedElbo(NegativeElbo):
    """-log p(x | z) + weight (log q(z | x) - log p(z)) of a flow that starts with `AutoEncoder`.

    The weight is 0 for the first rows, then rises to 1, from where on it is -elbo: without that, a
    decoder learns to do without z before z says anything (Bowman et al., 2016, sec. 3.1). The
    memory is the number of rows seen.
    """

    model: Flow
    without: int  # rows seen with the weight 0
    rising: int  # rows seen on its way to 1

    def __post_init__(self):
        """Raises ValueError for another model, or less than no rows."""
        kind = type(self.model.transforms[0])
        if not hasattr(kind, "draw"):
            raise ValueError(
                "WarmedElbo weighs the KL of a flow that starts with AutoEncoder; this one starts "
                f"with {kind.__name__}. Use NegativeElbo."
            )
        if min(self.without, self.rising) < 0:
            raise ValueError(
                f"Rows are at least 0; got without={self.without}, rising={self.rising}."
            )

    def init(self) -> Array:
        """No rows seen: () int32."""
        return jnp.zeros((), jnp.int32)

    def weight(self, memory: Array) -> Array:
        """That of the KL after so many rows: () -> ()."""
        risen = (memory - self.without) / max(1, self.rising)
        return risen.clip(0.0, 1.0).astype(jnp.float32)

    def loss(self, params: Params, memory: Array, rng: Key, x: Array) -> tuple[Nats, Array]:
        """The loss per example, (B,) in nats, of the draws that the elbo makes; rows of x."""
        (name, first), *_ = self.model.chain.named()
        rest = Chain(self.model.transforms[1:], first=1)
        z, log_p, log_q = first.draw(params[name], jax.random.fold_in(rng, 0), x, train=True)
        z, nats = rest.forward(params, rng, z, train=True)
        kl = log_q - nats - self.model.base.log_prob(params.get("base", {}), z)
        return self.weight(memory) * kl - log_p, jnp.array(len(x), jnp.int32)

    def update(self, memory: Array, evidence: Array) -> Array:
        """The rows seen after one step."""
        return memory + evidence
