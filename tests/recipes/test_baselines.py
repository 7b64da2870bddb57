"""Flows that the paper is compared with, as they are composed."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from amd_jax import recipes


class Onward(nn.Module):
    """The location 1 at every place."""

    @nn.compact
    def __call__(self, x, *, train=False):
        return jnp.broadcast_to(jax.nn.one_hot(1, 3), x.shape)


def test_couplings_move_even_and_odd_places_in_turn():
    network = dict(blocks=1, growth=2, depth=1, width=4)
    model = recipes.modular_couplings(3, 3, network, scaled=False)
    x, moved = jnp.tile(jax.nn.one_hot(0, 3), (1, 5, 1)), []
    for layer in model.transforms[1:]:
        forward = jax.jit(dataclasses.replace(layer, network=Onward()).forward)
        z, _ = forward({}, jax.random.key(0), x)
        moved.append(np.asarray(z != x).any(axis=(0, 2)).tolist())
    even = [place % 2 == 0 for place in range(5)]
    odd = [not one for one in even]
    assert moved == [odd, even, odd]
