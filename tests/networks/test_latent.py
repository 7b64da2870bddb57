import functools

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax import networks
from tests import zoo


def test_steps_in_turn_are_the_whole_sequence():
    network = networks.LatentLSTM(3, 4, layers=2)
    v = np.random.default_rng(1).normal(size=(2, 4, 2)).astype("f")
    call = functools.partial(network.apply, zoo.drawn(network, v))

    @jax.jit
    def walked():
        carry, features = call(2, 4, method="start")
        result = [features]
        for p in range(1, 4):
            carry, features = call(carry, v[:, p - 1], p, 4, method="advance")
            result.append(features)
        return jnp.stack(result, axis=1), call(v)

    np.testing.assert_allclose(*walked(), atol=1e-6)
