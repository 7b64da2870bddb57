"""Hollow networks: time, rows, contexts, names; what they see is in `test_sight.py`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from tests import zoo
from tests.networks.test_sight import CASES

X, T = np.random.default_rng(0).integers(5, size=(3, 7)), jnp.array([0.0, 0.5, 1.0])


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["hollow", "hollow dilated", "hollow attention", "hollow no join", "hollow contexts"]
)
def test_time_moves_every_logit_and_rows_do_not_mix(name):
    network = CASES[name].network
    apply = jax.jit(functools.partial(network.apply, zoo.drawn(network, X, T)))
    logits = apply(X, T)
    assert np.isfinite(logits).all()
    assert (abs(apply(X, T[::-1]) - logits)[::2].max(axis=-1) > 1e-4).all()
    for row in range(3):
        alone = apply(X[row : row + 1], T[row : row + 1])[0]
        np.testing.assert_allclose(alone, logits[row], rtol=2e-5, atol=2e-5)


def test_contexts_have_a_row_for_each_of_their_tokens_and_for_what_is_beyond_the_ends():
    network = CASES["hollow contexts"].network
    params = jax.eval_shape(network.init, jax.random.key(0), X, T)["params"]
    tables = [params[f"context_{i}_embed"]["embedding"] for i in range(9)]
    assert [len(table) for table in tables] == [6**3] * 4 + [6**4] * 3 + [6**5] * 2


def test_tokens_given_as_those_after_a_position_are_seen_there_and_nowhere_else():
    network, t = CASES["hollow"].network.clone(sees_time=False), T[:1]
    before, other = X[:1], (X[:1] + np.eye(7, dtype=int)[3]) % 5
    params = zoo.drawn(network, before, t)
    apply = jax.jit(lambda x, after: network.apply(params, x, t, after=after))
    logits, place = apply(before, before), np.arange(7)
    for (x, after), seen in (((other, before), place > 3), ((before, other), place < 3)):
        moved = abs(apply(x, after) - logits)[0].max(axis=-1) > 1e-5
        np.testing.assert_array_equal(moved, seen)


def test_parameters_of_a_map_without_labels_are_as_before():
    x, t = jax.ShapeDtypeStruct((2, 4, 5), np.int32), jax.ShapeDtypeStruct((2,), np.float32)
    network = networks.HollowMap(6, 8, (1,), 1, join_width=8, join_blocks=1)
    params = jax.eval_shape(network.init, jax.random.key(0), x, t)["params"]
    towers = [
        f"{tower}_{part}"
        for tower in ("before", "after")
        for part in ("above_0", "above_in", "beside_0", "beside_in", "columns", "rows")
    ]
    assert sorted(params) == sorted([*towers, "join", "joint_0", "out", "time"])
