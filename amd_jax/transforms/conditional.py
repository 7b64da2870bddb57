"""Laws of latents given classes that are flows themselves: more than independent entries.

The state of such a flow holds the features of its context before the latents: couplings read them
there, everything else lets them pass (`Beside`).
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from amd_jax.transforms import conditioner
from amd_jax.types import Array, Key, Law, Nats, Params, Transform


@dataclasses.dataclass(frozen=True, eq=False)
class Beside:
    """A transform of the channels after the first `context`, which pass."""

    context: int
    transform: Transform  # keeps the other axes

    def init(self, rng: Key, x: Array) -> Params:
        return self.transform.init(rng, x[..., self.context :])

    def forward(
        self, params: Params, rng: Key, x: Array, *, train: bool = False
    ) -> tuple[Array, Nats]:
        z, nats = self.transform.forward(params, rng, x[..., self.context :], train=train)
        return jnp.concatenate([x[..., : self.context], z], axis=-1), nats

    def inverse(self, params: Params, rng: Key, z: Array) -> Array:
        x = self.transform.inverse(params, rng, z[..., self.context :])
        return jnp.concatenate([z[..., : self.context], x], axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class ConditionalFlow:
    """q(u | x): noise e, moved by transforms that see features of x.

    In the place of `laws.Conditional` as the encoder of an argmax or a dequantisation, whose u
    has the shape of x with the axes `event` added. log q(u | x) = log p(e) - nats. Hoogeboom et
    al., 2021, sec. 3; for maps their q is this with couplings.
    """

    noise: Law  # of e (B, ..., E), all the latents of a place as channels
    network: Any  # a `conditioner`: x -> features (B, ..., context)
    context: int  # number of the features
    transforms: tuple[Transform, ...]  # of (B, ..., context + E), the features pass
    event: tuple[int, ...] = ()

    def init(self, rng: Key, x: Array) -> Params:
        """Parameters for contexts like `x`, a real batch."""
        rng_context, rng_start, rng = jax.random.split(rng, 3)
        shape = (*x.shape, self.context)
        params = {"context": conditioner.init(self.network, rng_context, x, shape)}
        state, _ = self._start(params, rng_start, x, train=False)
        for i, (name, transform) in enumerate(self._named()):
            rng_init, rng_forward = jax.random.split(jax.random.fold_in(rng, i))
            params[name] = transform.init(rng_init, state)
            state, _ = transform.forward(params[name], rng_forward, state)
        return {name: found for name, found in params.items() if jax.tree.leaves(found)}

    def sample_and_log_prob(
        self, params: Params, rng: Key, x: Array, *, train: bool = False
    ) -> tuple[Array, Nats]:
        """Draws (B, ..., *event) given x, and their log-densities (B,) in nats."""
        rng_start, rng = jax.random.split(rng)
        state, log_q = self._start(params, rng_start, x, train=train)
        for i, (name, transform) in enumerate(self._named()):
            rng_part, found = jax.random.fold_in(rng, i), params.get(name, {})
            state, nats = transform.forward(found, rng_part, state, train=train)
            log_q -= nats
        return state[..., self.context :].reshape(*x.shape, *self.event), log_q

    def _start(self, params: Params, rng: Key, x: Array, *, train: bool) -> tuple[Array, Nats]:
        """Features of x beside fresh noise, and the noise's log-density (B,)."""
        rng_noise, rng_dropout = jax.random.split(rng)
        found, shape = params.get("context", {}), (*x.shape, self.context)
        features = conditioner.apply(self.network, found, rng_dropout, x, shape, train=train)
        e = self.noise.sample({}, rng_noise, (*x.shape, math.prod(self.event)))
        return jnp.concatenate([features, e], axis=-1), self.noise.log_prob({}, e)

    def _named(self) -> list[tuple[str, Transform]]:
        """The transforms with their names in the parameters, such as "03_Coupling"."""
        return [(f"{i:02d}_{type(t).__name__}", t) for i, t in enumerate(self.transforms)]
