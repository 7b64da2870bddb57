"""Networks of latent flows: who sees whom, and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from tests import zoo


def moved(network, x, outputs):
    """Whether outputs move with inputs: bool (outputs, inputs), of a row's numbers in order."""
    variables = network.init(jax.random.key(0), x)
    params = jax.tree.map(lambda a: jnp.cos(jnp.arange(a.size)).reshape(a.shape), variables)
    jacobian = jax.jit(jax.jacobian(lambda x: network.apply(params, x[None])[0]))(x[0])
    return np.abs(np.asarray(jacobian).reshape(outputs, -1)) > 0


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.slow
def test_a_channel_of_made_sees_the_channels_before_it_and_the_context(context):
    x = jax.random.normal(jax.random.key(1), (1, context + 4))
    result = moved(networks.ChannelMADE(2, 16, context=context), x, 8)
    sees = np.tril(np.ones((4, 4)), -1)
    wanted = np.concatenate([np.ones((4, context)), sees], axis=1)
    np.testing.assert_array_equal(result, wanted.repeat(2, axis=0))


@pytest.mark.slow
def test_features_of_a_step_see_the_steps_before_it():
    x = jax.random.normal(jax.random.key(1), (1, 4, 2))
    result = moved(networks.LatentLSTM(3, 4, layers=2), x, 12).reshape(4, 3, 4, 2)
    np.testing.assert_array_equal(result.any(axis=(1, 3)), np.tril(np.ones((4, 4)), -1))


@pytest.mark.slow
def test_steps_in_turn_are_the_whole_sequence():
    network, v = (
        networks.LatentLSTM(3, 4, layers=2),
        jax.random.normal(jax.random.key(1), (2, 4, 2)),
    )
    params = network.init(jax.random.key(0), v)
    carry, features = network.apply(params, 2, 4, method="start")
    result = [features]
    advance = jax.jit(lambda *args: network.apply(params, *args, 4, method="advance"))
    for p in range(1, 4):
        carry, features = advance(carry, v[:, p - 1], p)
        result.append(features)
    whole = jax.jit(network.apply)(params, v)
    np.testing.assert_allclose(jnp.stack(result, axis=1), whole, atol=1e-6)


def test_more_steps_than_places_are_refused():
    network = networks.LatentDecoder(zoo.LENGTH, 4, longest=3)
    with pytest.raises(ValueError, match="longest=3; got 4 steps. Build it with longest=4"):
        network.init(jax.random.key(0), jnp.zeros((1, 4, 2)))
