"""A text read in order: every token given the one before it, from row to row of its stream."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models

K = 3
TABLE = np.random.default_rng(0).normal(size=(K + 1, K)).astype(np.float32)
LOG_P = np.asarray(jax.nn.log_softmax(TABLE), np.float64)  # [the token before, or K; the token]


class Pairs(nn.Module):
    """Logits by the token before alone; what it remembers is how many it has read."""

    num_classes: int = K
    segment: int = 4
    memory: int = 2
    clamp: int = 0
    same_length: bool = False

    def blank(self, batch, size=None):
        return jnp.zeros(batch, jnp.int32)

    def read(self, memory, before, *, train=False):
        return jnp.asarray(TABLE)[before], memory + before.shape[1]


class Read:
    """A model of such a network."""

    network = Pairs()


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(("rows", "streams", "segment"), [(4, 1, 4), (4, 2, 5), (5, 2, 3)])
def test_the_token_before_is_that_of_the_row_before_and_none_where_a_stream_begins(
    rows, streams, segment
):
    x = np.random.default_rng(1).integers(0, K, (rows, 3))
    bound = models.LongMemory(segment=segment, streams=streams)
    nats = jax.jit(lambda x: bound(Read(), {"network": {}}, jax.random.key(0), x))(jnp.asarray(x))
    each = -(-rows // streams)  # rows of a stream
    expected = []
    for row in range(rows):
        before = K if row % each == 0 else x[row - 1, -1]
        expected.append(LOG_P[[before, *x[row, :-1]], x[row]].sum())
    np.testing.assert_allclose(nats, expected, rtol=1e-5)
