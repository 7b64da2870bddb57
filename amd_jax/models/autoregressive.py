"""Autoregressive models: every token given those before it."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Integer

from amd_jax import options
from amd_jax.diffusion.samplers.base import Sharpened
from amd_jax.models import causal_checks, checks
from amd_jax.models.bounds import Likelihood
from amd_jax.models.checks import Network
from amd_jax.models.long_memory import LongMemory
from amd_jax.ops import categorical
from amd_jax.types import Array, Bound, Key, Nats, Params, PyTree, Support, Tokens


@dataclasses.dataclass(frozen=True)
class LeftToRight(Sharpened):
    """Draws token after token, each given those before it: exactly the model's law as it is."""

    name = "left_to_right"


@dataclasses.dataclass(frozen=True, eq=False)
class Autoregressive:
    """p(x) = Π_l p(x_l | x_0 ... x_{l-1}) over integer arrays (B, ...), in row-major order.

    The network is a linen module `(x (B, L), *, train) -> logits (B, L, K)` whose logits at l
    depend on x[:, :l] only, and that can also walk, with the same parameters, so that a sample
    takes L small steps and nothing is computed twice:

    - `start(B, L) -> carry`;
    - `advance(carry, previous (B,), p) -> carry, logits (B, K)`: takes in the token of position
      p - 1 (of no meaning at p = 0), and gives the logits of position p.

    `check` tests both promises.
    """

    network: Network
    bounds: tuple[Bound, ...] = (Likelihood(), LongMemory())  # of these, those for the network
    support: Support | None = None  # what rows can be, as of a table; all else has no mass

    samplers = (LeftToRight(),)

    def __post_init__(self):
        """Raises ValueError for a network that cannot walk, or takes no `train`."""
        causal_checks.check_walks(self.network)
        object.__setattr__(self, "bounds", options.admitted(self.bounds, self.network))

    def init(self, rng: Key, x: Tokens) -> Params:
        """Parameters for data shaped like `x`; ValueError for logits of another shape."""
        checks.check_call(rng, x)
        flat = x.reshape(x.shape[0], -1)
        logits, variables = self.network.init_with_output(rng, flat, train=False)
        if logits.shape[:-1] != flat.shape:
            raise ValueError(
                f"For x of shape {flat.shape} a causal network gives logits {(*flat.shape, 'K')}; "
                f"{type(self.network).__name__} gives {logits.shape}."
            )
        checks.check_support(self.support, flat.shape, logits.shape[-1])
        return {"network": variables["params"]}

    def check(self, params: Params, rng: Key, x: Tokens) -> None:
        """Raises ValueError if logits depend on later tokens, or walking gives other ones."""
        flat = x.reshape(x.shape[0], -1)
        causal_checks.check_causal(self.network, params["network"], rng, flat)

    def elbo(self, params: Params, rng: Key, x: Tokens, *, train: bool = False) -> Nats:
        """log p(x) itself, in one network call."""
        checks.check_call(rng, x)
        flat, rngs = x.reshape(x.shape[0], -1), {"dropout": rng} if train else None
        variables = {"params": params["network"]}
        logits = self.network.apply(variables, flat, train=train, rngs=rngs)
        possible = None
        if self.support is not None:
            possible = self.support.possible_next(flat, logits.shape[-1])
            logits = jnp.where(possible, logits, categorical.NEVER)
        nats = categorical.gather(jax.nn.log_softmax(logits), flat).sum(axis=-1)
        return nats + categorical.inside(flat, logits.shape[-1], possible)

    def log_weight(self, params: Params, rng: Key, x: Tokens) -> Nats:
        """log p(x)."""
        return self.elbo(params, rng, x)

    def sample(
        self, params: Params, rng: Key, shape: tuple[int, ...], sampler: LeftToRight = samplers[0]
    ) -> Tokens:
        """Samples of the given shape (B, ...), int32, one token after the other."""
        checks.check_call(rng, shape=shape)
        batch, length = shape[0], math.prod(shape[1:])
        variables = {"params": params["network"]}

        def step(
            carry: tuple[PyTree, Integer[Array, "B L"]], at: tuple[Integer[Array, ""], Key]
        ) -> tuple[PyTree, None]:
            state, x = carry
            p, rng = at
            previous = x[:, jnp.maximum(p - 1, 0)]
            state, logits = self.network.apply(variables, state, previous, p, method="advance")
            if self.support is not None:
                possible = self.support.possible_next(x, logits.shape[-1])[:, p]
                logits = jnp.where(possible, logits, categorical.NEVER)
            drawn = categorical.sample(rng, sampler.sharper(jax.nn.softmax(logits)))
            return (state, x.at[:, p].set(drawn)), None

        start = self.network.apply(variables, batch, length, method="start")
        before = start, jnp.zeros((batch, length), jnp.int32)
        steps = jnp.arange(length), jax.random.split(rng, length)
        return jax.lax.scan(step, before, steps)[0][1].reshape(shape)
