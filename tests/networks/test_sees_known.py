"""Networks that are told which tokens are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from tests import zoo
from tests.variants import quick

K = 4
NETWORKS = {
    "hollow": (
        networks.Hollow,
        dict(width=8, join_width=8, blocks=1, taps=2, table_width=2),
        (6,),
    ),
    "transformer": (networks.Transformer, dict(width=8, blocks=1, heads=2), (6,)),
    "hollow_map": (networks.HollowMap, dict(width=8, join_width=8, dilations=(1,)), (3, 4)),
}


@pytest.mark.parametrize("name", quick(["hollow", "hollow_map"], "hollow"))
def test_that_a_token_is_known_moves_all_in_reach_but_itself(name):
    """On both sides of it: each tower has to see `known` in the order of its tokens."""
    kind, sizes, event = NETWORKS[name]
    size = int(np.prod(event))
    x = jax.random.randint(jax.random.key(0), (1, *event), 0, K).repeat(size + 1, axis=0)
    known = jnp.eye(size + 1, size, dtype=bool).reshape(x.shape)  # the last row knows nothing
    network, t = kind(K, **sizes, sees_known=True), jnp.full(len(x), 0.5)
    guesses = jax.jit(network.apply)(zoo.drawn(network, x, t), x, t, known=known)
    guesses = np.asarray(guesses).reshape(size + 1, size, K)
    moved = abs(guesses[:-1] - guesses[-1]).max(axis=-1)  # [which is known, whose guess]
    np.testing.assert_array_equal(np.diag(moved), 0)
    place = np.stack(np.unravel_index(np.arange(size), event))
    apart = abs(place[:, :, None] - place[:, None]).max(axis=0)
    assert (moved[apart == 1] > 1e-5).all(), moved
    if name == "hollow":  # 2 taps of what is before, and one more of the block
        assert (moved[apart > 3] == 0).all(), moved


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(NETWORKS, "hollow"))
@pytest.mark.slow
def test_what_is_known_moves_the_guesses_of_others(name):
    kind, sizes, event = NETWORKS[name]
    told, untold = kind(K, **sizes, sees_known=True), kind(K, **sizes)
    x, t = jax.random.randint(jax.random.key(0), (1, *event), 0, K), jnp.array([0.5])
    params = zoo.drawn(told, x, t)
    apply = jax.jit(lambda x, known: told.apply(params, x, t, known=known))
    first = (0, *(0 for _ in event))
    none = jnp.zeros(x.shape, bool)
    one = none.at[first].set(True)
    before, after = (np.asarray(apply(x, known))[0].reshape(-1, K) for known in (none, one))
    assert abs(after - before)[1].max() > 1e-4
    if told.__class__ is not networks.Transformer:  # the own token is not seen, known or not
        other = np.asarray(apply(x.at[first].set((x[first] + 1) % K), one))[0].reshape(-1, K)
        np.testing.assert_array_equal(other[0], after[0])
        assert abs(other - after)[1].max() > 1e-4
    assert jax.tree.map(jnp.shape, zoo.drawn(untold, x, t)) != jax.tree.map(jnp.shape, params)
