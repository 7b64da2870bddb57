"""Which block each position of a text is in, and draws by blocks."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.types import Array, Key

Sizes = Integer[Array, "#B"] | Integer[Array, ""] | int  # tokens of a block, one for all or each


class Blocks(NamedTuple):
    """The blocks that positions of texts (B, L) are in."""

    each: Integer[Array, "B"]  # tokens of a block that is not cut off
    number: Integer[Array, "B L"]  # 0, 1, …
    start: Integer[Array, "B L"]  # where it begins
    size: Integer[Array, "B L"]  # tokens in it


def blocks_of(block_size: Sizes, batch: int, length: int) -> Blocks:
    """The blocks of texts (B, L), the last of each what is left."""
    each = jnp.broadcast_to(jnp.reshape(jnp.asarray(block_size), (-1, 1)), (batch, 1))
    number = jnp.arange(length) // each
    start = number * each
    return Blocks(each[:, 0], number, start, jnp.minimum(start + each, length) - start)


def ranks(rng: Key, blocks: Blocks) -> Integer[Array, "B L"]:
    """The places, from 0, of the tokens of each block in a random order of their own."""
    noise = jax.random.uniform(rng, blocks.number.shape)
    order = jnp.lexsort((noise, blocks.number), axis=-1)
    return jnp.argsort(order, axis=-1) - blocks.start


def stratified(rng: Key, blocks: Blocks) -> Float[Array, "B L"]:
    """A number in [0, 1) for each block: even over its row, and over all rows."""
    total, row = blocks.number[:, -1:] + 1, jnp.arange(len(blocks.number))[:, None]
    return (jax.random.uniform(rng) + blocks.number / total + row / len(row)) % 1.0
