"""Composition of transforms."""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax.types import Batch, Key, Nats, Params, Transform


@dataclasses.dataclass(frozen=True, eq=False)
class Chain:
    """z = f_n(… f_1(x)), with the sum of the nats.

    Parameters are a dict with an entry for each part that has some, named by place and kind.
    """

    transforms: tuple[Transform, ...]
    first: int = 0  # the place of the first of them, where they are the rest of a chain

    @property
    def exact(self) -> bool:
        """Whether no part draws anything on the way from data to latents."""
        return all(getattr(t, "exact", False) for t in self.transforms)

    def init(self, rng: Key, x: Batch) -> Params:
        """Parameters from a batch of data `x`, which data-dependent parts look at."""
        params, z = {}, x
        for i, (name, transform) in self._placed():
            rng_init, rng_forward = jax.random.split(jax.random.fold_in(rng, i))
            params[name] = transform.init(rng_init, z)
            z, _ = transform.forward(params[name], rng_forward, z)
        return {name: result for name, result in params.items() if jax.tree.leaves(result)}

    def forward(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        z, total = x, jnp.zeros(x.shape[0])
        for i, (name, transform) in self._placed():
            rng_part = jax.random.fold_in(rng, i)
            z, nats = transform.forward(params.get(name, {}), rng_part, z, train=train)
            total += nats
        return z, total

    def inverse(self, params: Params, rng: Key, z: Batch) -> Batch:
        for i, (name, transform) in reversed(self._placed()):
            z = transform.inverse(params.get(name, {}), jax.random.fold_in(rng, i), z)
        return z

    def named(self) -> list[tuple[str, Transform]]:
        """The transforms with their names in the parameters, such as "03_Linear1x1"."""
        return [pair for _, pair in self._placed()]

    def _placed(self) -> list[tuple[int, tuple[str, Transform]]]:
        """The same, with their places."""
        placed = enumerate(self.transforms, self.first)
        return [(i, (f"{i:02d}_{type(t).__name__}", t)) for i, t in placed]
