"""Recipes: where the flows that they compose start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import recipes
from amd_jax.facts import MapFacts

SHARES = (0.7, 0.2, 0.1)
FACTS = MapFacts(3, (4, 4), palette=((0, 0, 0),) * 3, frequencies=SHARES)
DENSE = dict(blocks=1, growth=2, depth=1, width=4)


def lift(name):
    encoder = {"couplings": 1, "context": 2, "network": DENSE}
    return recipes.map_flow(name, FACTS, 1, 1, DENSE, encoder).transforms[0]


def read(network):
    """What a network of maps gives at its start: (2, 4, 4, F)."""
    x = jax.random.randint(jax.random.key(0), (2, 4, 4), 0, 3)
    return jax.jit(lambda x: network.apply(network.init(jax.random.key(1), x), x))(x)


def test_gumbels_start_at_the_frequencies():
    phi = read(lift("gumbel").network)
    np.testing.assert_allclose(phi, np.broadcast_to(np.log(SHARES), phi.shape), rtol=1e-5)
    location = lift("gumbel_threshold").location
    np.testing.assert_allclose(location, np.log(SHARES), rtol=1e-6)


def test_what_a_lift_reads_of_a_map_is_not_zero_at_the_start():
    """Else its couplings, which start at zero, would learn nothing."""
    features = read(lift("softplus").encoder.network)
    assert jnp.abs(features).max() > 0.01
    assert jnp.ptp(features, axis=(0, 1, 2)).max() > 0.01


def test_another_lift_is_refused():
    with pytest.raises(ValueError, match="A lift is one of softplus, .*; got 'sine'"):
        lift("sine")
