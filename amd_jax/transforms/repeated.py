"""A transform repeated with parameters of its own each time, compiled once."""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax.transforms.chain import Chain
from amd_jax.types import Batch, Key, Nats, Params, Transform


def repeated(part: Transform, times: int) -> tuple[Transform, ...]:
    """The part so many times, as transforms of a chain; of none at all there is none."""
    return (Repeated(part, times),) if times > 0 else ()


@dataclasses.dataclass(frozen=True, eq=False)
class Repeated:
    """z = f(… f(x)), `times` over, each with its own parameters; with the sum of the nats.

    A chain of as many like parts, compiled once instead of `times` over: by `jax.lax.scan`. The
    part keeps the shape of x. Parameters are those of the part, stacked: (times, ...).
    """

    part: Transform
    times: int

    def __post_init__(self):
        """Raises ValueError for less than once."""
        if self.times < 1:
            raise ValueError(f"A part is repeated once or more; got times={self.times}.")

    @property
    def exact(self) -> bool:
        """Whether the part is."""
        return Chain((self.part,)).exact

    def init(self, rng: Key, x: Batch) -> Params:
        """Parameters from a batch of data `x`, each time of what reaches it."""

        def step(x, i):
            rng_init, rng_forward = jax.random.split(jax.random.fold_in(rng, i))
            params = self.part.init(rng_init, x)
            return self.part.forward(params, rng_forward, x)[0], params

        return jax.lax.scan(step, x, jnp.arange(self.times))[1]

    def forward(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        def step(carry, given):
            (x, total), (i, params) = carry, given
            x, nats = self.part.forward(params, jax.random.fold_in(rng, i), x, train=train)
            return (x, total + nats), None

        start = x, jnp.zeros(x.shape[0])
        return jax.lax.scan(step, start, (jnp.arange(self.times), params))[0]

    def inverse(self, params: Params, rng: Key, z: Batch) -> Batch:
        def step(z, given):
            i, params = given
            return self.part.inverse(params, jax.random.fold_in(rng, i), z), None

        places = jnp.arange(self.times)
        return jax.lax.scan(step, z, (places, params), reverse=True)[0]
