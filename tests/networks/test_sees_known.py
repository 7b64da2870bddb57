"""Networks that are told which tokens are known."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from tests import zoo
from tests.variants import quick

K = 4
NETWORKS = {  # network, the shape of a row
    "hollow": (
        networks.Hollow(
            K, width=8, join_width=8, blocks=1, taps=2, table_width=2, sees_known=True
        ),
        (6,),
    ),
    "hollow_map": (
        networks.HollowMap(K, width=8, join_width=8, dilations=(1,), sees_known=True),
        (3, 4),
    ),
    "transformer": (
        networks.Transformer(K, width=8, blocks=1, heads=2, sees_known=True),
        (6,),
    ),
}


@pytest.mark.parametrize("name", quick(NETWORKS, "hollow", slow=("transformer",)))
def test_that_a_token_is_known_moves_all_in_reach_but_itself(name):
    """And so does which token it is. Each tower sees `known` in the order of its tokens."""
    network, event = NETWORKS[name]
    size = int(np.prod(event))
    x = np.random.default_rng(0).integers(K, size=event)[None].repeat(size, axis=0)
    known = np.eye(size, dtype=bool).reshape(x.shape)
    none, t = np.zeros_like(known), jnp.full(size, 0.5)
    apply = functools.partial(jax.jit(network.apply), zoo.drawn(network, x, t))
    unknown, first, other = (
        np.asarray(apply(tokens, t, known=told)).reshape(size, size, K)
        for tokens, told in ((x, none), (x, known), ((x + known) % K, known))
    )
    place = np.stack(np.unravel_index(np.arange(size), event))
    apart = abs(place[:, :, None] - place[:, None]).max(axis=0)
    for change in (first - unknown, other - first):
        moved = abs(change).max(axis=-1)  # [which is known, whose guess]
        assert (moved[apart == 1] > 1e-5).all(), moved
        if name != "transformer":
            np.testing.assert_array_equal(np.diag(moved), 0)
    if name == "hollow":  # 2 taps of what is before, and one more of the block
        np.testing.assert_array_equal(first[apart > 3], unknown[apart > 3])
