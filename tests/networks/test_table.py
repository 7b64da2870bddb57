"""Networks of rows of a table: a token of one field is no token of another."""

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


TABLE = networks.TableNet(K + 1, SIZES, embedding=4, **SMALL)
CAUSAL = networks.CausalTable(K, SIZES, heads=2, **SMALL)


def opened(network, *inputs):
    """Parameters that open every path, and the network as a compiled function of them and more."""
    return zoo.drawn(network, *inputs)["params"], jax.jit(
        lambda params, *inputs: network.apply({"params": params}, *inputs)
    )


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("network", "inputs"), [(TABLE, (X, T)), (CAUSAL, (X,))], ids=["net", "causal"]
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
    """Every field, masks of each and the time move the logits; all beyond a field is one mask."""
    params, run = opened(TABLE, X, T)
    logits = run(params, X, T)
    for place in range(3):
        for token in (K, (X[0, place] + 1) % 2):
            other = run(params, X.at[0, place].set(token), T)
            assert (abs(other - logits)[0].max(axis=-1) > 1e-3).all()
            np.testing.assert_allclose(other[1:], logits[1:], atol=1e-6)
    assert (abs(run(params, X, T / 2) - logits).max(axis=-1) > 1e-4).all()
    masks = (run(params, X.at[:, 0].set(token), T) for token in (2, K))
    np.testing.assert_array_equal(*masks)


def test_a_row_may_be_seen_without_its_time():
    params, run = opened(TABLE.clone(sees_time=False), X, T)
    np.testing.assert_array_equal(run(params, X, T), run(params, X, T / 2))


@pytest.mark.slow
def test_a_causal_table_reads_what_is_before_and_walks_as_it_reads():
    """By the check of models, for parameters far from the first ones; and beyond the support."""
    params, run = opened(CAUSAL, X)
    models.Autoregressive(CAUSAL).check(
        {"network": params}, jax.random.key(0), jnp.tile(X % 2, (4, 1))
    )
    moved = abs(run(params, X.at[0, 0].set(1)) - run(params, X))[0].max(axis=-1)
    assert moved[0] == 0
    assert (moved[1:] > 1e-3).all()


def test_fields_of_a_causal_table_have_embeddings_and_outputs_of_their_own():
    params, run = opened(CAUSAL, X)
    before = run(params, X)
    for place in range(3):
        out = params["out"].at[place].add(1.0)
        moved = abs(run({**params, "out": out}, X) - before).max(axis=(0, 2)) > 1e-3
        np.testing.assert_array_equal(moved, np.arange(3) == place)
    embed = params["embed"]["embedding"]
    assert len(embed) == sum(SIZES)
    other = {"embedding": embed.at[SIZES[0] + 2].add(jnp.arange(8.0))}  # 2 of the second field
    moved = abs(run({**params, "embed": other}, X) - before).max(axis=-1) > 1e-3
    assert moved.tolist() == [[False] * 3, [False] * 3, [False, False, True]]


def test_context_of_fields_is_of_each_token():
    params, run = opened(networks.FieldContext(SIZES, 6, width=8), X)
    moved = abs(run(params, X.at[0, 1].set(1)) - run(params, X)).max(axis=-1) > 1e-4
    np.testing.assert_array_equal(moved, np.arange(9).reshape(3, 3) == 1)
    same = run(params, jnp.ones_like(X))[0]  # the token 1 of each field
    assert abs(same[0] - same[1]).max() > 1e-3
