"""Networks of the past: who depends on whom, by the Jacobian."""

import jax
import numpy as np
import pytest

from amd_jax import networks
from tests import zoo


def depends(network, shape):
    """Whether outputs of a row move with its inputs, in one of ten: bool, the shapes of both."""
    x = jax.random.normal(jax.random.key(0), (10, *shape))
    variables = zoo.drawn(network, x[:1], scale=1.0)
    slope = jax.jacobian(lambda row: network.apply(variables, row[None])[0])
    return np.abs(jax.jit(jax.vmap(slope))(x)).max(axis=0) > 0


@pytest.mark.parametrize("hidden", [(), (16, 16)])
def test_places_see_those_before_them_in_row_major_order(hidden):
    result = depends(networks.MADE(4, hidden), (2, 3, 2)).reshape(6, 4, 6, 2).any(axis=(1, 3))
    np.testing.assert_array_equal(result, np.tril(np.ones((6, 6), bool), -1))


@pytest.mark.parametrize("context", [0, 3])
def test_channels_see_those_before_them_and_the_context(context):
    network = networks.ChannelMADE(2, 24, context=context)
    result = depends(network, (context + 4,)).reshape(4, 2, context + 4).any(axis=1)
    np.testing.assert_array_equal(result[:, :context], True)
    np.testing.assert_array_equal(result[:, context:], np.tril(np.ones((4, 4), bool), -1))


def test_an_lstm_of_the_past_sees_no_more_than_that():
    result = depends(networks.PastLSTM(3, 4), (4, 2)).any(axis=(1, 3))
    np.testing.assert_array_equal(result, np.tril(np.ones((4, 4), bool), -1))
