"""Networks of rows of a table: a token of one field is no token of another."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from tests import zoo

SIZES, K = (2, 4, 3), 4
MARGINALS = ((0.25, 0.75), (0.1, 0.2, 0.3, 0.4), (0.5, 0.25, 0.25))
SMALL = dict(width=8, blocks=1, marginals=MARGINALS)
X = jnp.array([[0, 3, 2], [1, 0, 1], [1, 2, 0]])
T = jnp.array([0.2, 0.5, 0.9])


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("network", "inputs"),
    [
        (networks.TableNet(K + 1, SIZES, embedding=4, **SMALL), (X, T)),
        (networks.CausalTable(K, SIZES, heads=2, **SMALL), (X,)),
    ],
    ids=["net", "causal"],
)
def test_it_starts_at_the_marginals_and_is_zero_beyond_a_field(network, inputs):
    logits, params = jax.jit(network.init_with_output)(jax.random.key(0), *inputs)
    assert (logits.shape, logits.dtype) == ((3, 3, network.num_classes), np.float32)
    for place, shares in enumerate(MARGINALS):
        own = logits[:, place, : len(shares)]
        np.testing.assert_allclose(jax.nn.softmax(own), np.tile(shares, (3, 1)), rtol=1e-5)
        np.testing.assert_array_equal(logits[:, place, len(shares) :], 0)
    plain = jax.eval_shape(network.clone(marginals=None).init, jax.random.key(0), *inputs)
    assert jax.tree.map(jnp.shape, plain) == jax.tree.map(jnp.shape, params)


def test_a_row_is_seen_as_a_whole():
    """Every field, masks of each and the time move the logits; without it, time does not."""
    network = networks.TableNet(K + 1, SIZES, embedding=4, **SMALL)
    params, run = zoo.drawn(network, X, T), jax.jit(network.apply)
    logits = run(params, X, T)
    for place in range(3):
        for token in (K, (X[0, place] + 1) % 2):
            other = run(params, X.at[0, place].set(token), T)
            assert (abs(other - logits)[0].max(axis=-1) > 1e-3).all()
            np.testing.assert_allclose(other[1:], logits[1:], atol=1e-6)
    assert (abs(run(params, X, T / 2) - logits).max(axis=-1) > 1e-4).all()
    blind = network.clone(sees_time=False)
    without = zoo.drawn(blind, X, T)
    np.testing.assert_array_equal(*(jax.jit(blind.apply)(without, X, time) for time in (T, T / 2)))


def test_all_that_is_beyond_a_field_is_one_mask():
    network = networks.TableNet(K + 1, SIZES, embedding=4, **SMALL)
    params = zoo.drawn(network, X, T)
    masks = [jax.jit(network.apply)(params, X.at[:, 0].set(token), T) for token in (2, K)]
    np.testing.assert_array_equal(*masks)


@pytest.mark.slow
def test_a_causal_table_reads_what_is_before_and_walks_as_it_reads():
    """By the check of models, for parameters far from the first ones; and beyond the support."""
    model = models.Autoregressive(networks.CausalTable(K, SIZES, heads=2, **SMALL))
    params = {"network": zoo.drawn(model.network, X)["params"]}
    model.check(params, jax.random.key(0), jnp.tile(X % 2, (4, 1)))
    run = jax.jit(model.network.apply)
    moved = abs(
        run({"params": params["network"]}, X.at[0, 0].set(1))
        - run({"params": params["network"]}, X)
    )[0].max(axis=-1)
    assert moved[0] == 0
    assert (moved[1:] > 1e-3).all()


def test_fields_of_a_causal_table_have_outputs_of_their_own():
    network = networks.CausalTable(K, SIZES, heads=2, **SMALL)
    params = zoo.drawn(network, X)["params"]
    run = jax.jit(network.apply)
    before = run({"params": params}, X)
    for place in range(3):
        other = dict(params)
        other["out"] = np.array(params["out"])
        other["out"][place] += 1.0
        moved = abs(run({"params": other}, X) - before).max(axis=(0, 2))
        assert (moved > 1e-3).tolist() == [n == place for n in range(3)]


def test_a_causal_table_embeds_each_token_of_each_field_by_itself():
    network = networks.CausalTable(K, SIZES, heads=2, **SMALL)
    params = zoo.drawn(network, X)["params"]
    run = jax.jit(network.apply)
    before = run({"params": params}, X)
    other = {**params, "embed": {"embedding": np.array(params["embed"]["embedding"])}}
    assert len(other["embed"]["embedding"]) == sum(SIZES)
    other["embed"]["embedding"][SIZES[0] + 2] += np.arange(8)  # the token 2 of the second field
    moved = abs(run({"params": other}, X) - before).max(axis=-1) > 1e-3
    assert moved.tolist() == [[False] * 3, [False] * 3, [False, False, True]]


def test_context_of_fields_is_of_each_token_and_starts_at_zero():
    network = networks.FieldContext(SIZES, 6, width=8)
    out, params = jax.jit(network.init_with_output)(jax.random.key(0), X)
    assert (out.shape, out.dtype) == ((3, 3, 6), np.float32)
    np.testing.assert_array_equal(out, 0)
    params = zoo.drawn(network, X)
    run = functools.partial(jax.jit(network.apply), params)
    moved = abs(run(X.at[0, 1].set(1)) - run(X)).max(axis=-1) > 1e-4
    np.testing.assert_array_equal(moved, np.arange(9).reshape(3, 3) == 1)
    same = run(jnp.ones((1, 3), jnp.int32))[0]  # the token 1 of each field
    assert abs(same[0] - same[1]).max() > 1e-3
