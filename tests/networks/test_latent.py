import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks


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
