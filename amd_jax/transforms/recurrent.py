"""Flows over time: the same transforms of every step, conditioned on the steps before it."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.transforms import conditioner
from amd_jax.transforms.chain import Chain
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.types import Array, Key, Nats, Params, Series, Transform

READS = ("data", "latents")


@dataclasses.dataclass(frozen=True, eq=False)
class Recurrent:
    """Transforms of each step of x, given features of the steps before it.

    Of those steps it reads the data x[:, :p]: then `forward` sees all steps at once, and
    `inverse` goes from step to step. Or their latents z[:, :p], an inverse autoregressive flow:
    then it is the other way round. The transforms themselves are called on features beside the
    step, as in `conditional.ConditionalFlow`. Ziegler and Rush, 2019, sec. 4.

    The network is a linen module, `(v (B, L, C), *, train) -> features (B, L, context)`, that can
    also walk with the same parameters:

    - `start(B, L) -> carry, features` of step 0;
    - `advance(carry, v (B, C), p, L) -> carry, features`: takes in step p - 1, gives step p's.
    """

    network: Conditioner
    context: int  # number of the features
    transforms: tuple[Transform, ...]  # of (B, ..., context + C), the features pass
    reads: str = "data"  # or "latents"

    def __post_init__(self):
        """Raises ValueError for something else to read."""
        if self.reads not in READS:
            raise ValueError(f"A flow over time reads data or latents; got {self.reads!r}.")

    @property
    def chain(self) -> Chain:
        """The transforms of a step as one."""
        return Chain(self.transforms)

    def init(self, rng: Key, x: Series) -> Params:
        """Parameters for x; data-dependent parts see it with the features of it."""
        rng_network, rng = jax.random.split(rng)
        shape = (*x.shape[:-1], self.context)
        params = {"network": conditioner.init(self.network, rng_network, x, shape)}
        return {**params, **self.chain.init(rng, self._beside(params, rng, x))}

    def forward(
        self, params: Params, rng: Key, x: Series, *, train: bool = False
    ) -> tuple[Series, Nats]:
        rng_network, rng = jax.random.split(rng)
        if self.reads == "latents":
            move = functools.partial(self.chain.forward, params, train=train)
            return self._walk(params, rng, x, move)
        state = self._beside(params, rng_network, x, train=train)
        state, nats = self.chain.forward(params, rng, state, train=train)
        return state[..., self.context :], nats

    def inverse(self, params: Params, rng: Key, z: Series) -> Series:
        if self.reads == "latents":
            state = self._beside(params, rng, z)
            return self.chain.inverse(params, rng, state)[..., self.context :]

        def move(rng: Key, state: Array) -> tuple[Array, Nats]:
            return self.chain.inverse(params, rng, state), jnp.zeros(len(state), state.dtype)

        return self._walk(params, rng, z, move)[0]

    def _beside(
        self, params: Params, rng: Key, v: Series, *, train: bool = False
    ) -> Float[Array, "B L D"]:
        """The features of every step, beside the step: D = context + C."""
        shape, result = (*v.shape[:-1], self.context), params["network"]
        features = conditioner.apply(self.network, result, rng, v, shape, train=train)
        return jnp.concatenate([features, v], axis=-1)

    def _walk(
        self, params: Params, rng: Key, a: Series, move: Callable[[Key, Array], tuple]
    ) -> tuple[Series, Nats]:
        """a moved step after step, each given what came out of those before it."""
        batch, length, _ = a.shape
        call = functools.partial(self.network.apply, {"params": params["network"]})

        def step(carry: tuple, at: tuple[Array, Array]) -> tuple[tuple, tuple]:
            (state, features), (p, a_p) = carry, at
            beside = jnp.concatenate([features, a_p], axis=-1)
            beside, nats = move(jax.random.fold_in(rng, p), beside)
            b_p = beside[..., self.context :]
            return call(state, b_p, p + 1, length, method="advance"), (b_p, nats)

        start = call(batch, length, method="start")
        _, (b, nats) = jax.lax.scan(step, start, (jnp.arange(length), jnp.moveaxis(a, 1, 0)))
        return jnp.moveaxis(b, 0, 1), nats.sum(axis=0)
