"""Objectives of block diffusions."""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax.diffusion import bounds
from amd_jax.learning.objectives import Memoryless
from amd_jax.models import BlockDiffusion
from amd_jax.types import Key, Nats, Params, Tokens


@dataclasses.dataclass(frozen=True, eq=False)
class MixedBlocks(Memoryless):
    """-elbo of a block diffusion with blocks of several sizes, one drawn for each row.

    One network then serves all of them. Sizes are stratified over the batch, all alike likely.
    """

    model: BlockDiffusion
    sizes: tuple[int, ...]

    def __post_init__(self):
        """Raises ValueError for no size, or one below 1."""
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError(
                f"block_sizes are one or more, each at least 1; got {self.sizes}. Try (1, 4, 16)."
            )

    def loss(self, params: Params, memory: tuple, rng: Key, x: Tokens) -> tuple[Nats, tuple]:
        """-elbo per example; no evidence."""
        rng_size, rng_order, rng = jax.random.split(rng, 3)
        u = jax.random.permutation(rng_order, bounds.stratified(rng_size, len(x)))
        size = jnp.asarray(self.sizes)[(u * len(self.sizes)).astype(jnp.int32)]
        return -self.model.elbo(params, rng, x, train=True, block_size=size), ()
