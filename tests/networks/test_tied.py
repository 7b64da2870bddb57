"""Networks whose embeddings are their last layer's matrix, too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks

K, D = 6, 8
SIZES = dict(width=D, blocks=1, heads=2, log_frequencies=tuple(np.log(np.arange(1, K + 1))))
X = jnp.asarray(np.random.default_rng(0).integers(K, size=(2, 5)))
T = jnp.array([0.3, 0.8])
KNOWN = X % 2 == 0
NETWORKS = {  # network, what it is called with, the rows of its first layer that are embeddings
    "transformer": (networks.Transformer, {}, (X, T), {}, slice(0, K)),
    "taps": (networks.Transformer, {"taps": 3}, (X, T), {}, slice(K, 2 * K)),
    "known": (
        networks.Transformer,
        {"taps": 3, "sees_known": True},
        (X, T),
        {"known": KNOWN},
        slice(2 * K, 3 * K),
    ),
    "causal": (networks.CausalTransformer, {}, (X,), {}, slice(0, K)),
    "causal taps": (networks.CausalTransformer, {"taps": 2}, (X,), {}, slice(0, K)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_tied_network_is_the_untied_one_with_its_embeddings_for_a_matrix(name):
    network, numbers, arguments, more, rows = NETWORKS[name]
    tied = network(K, **SIZES, **numbers, tied=True)
    untied = network(K, **SIZES, **numbers)
    params = tied.init(jax.random.key(0), *arguments, **more)["params"]
    params = jax.tree.map(lambda a: a + 0.1 * jnp.sin(jnp.arange(a.size)).reshape(a.shape), params)
    out = {"kernel": params["in"]["kernel"][rows].T, "bias": params["out"]["bias"]}
    both = {**params, "out": out}
    shapes = jax.eval_shape(untied.init, jax.random.key(0), *arguments, **more)["params"]
    assert jax.tree.map(jnp.shape, both) == jax.tree.map(jnp.shape, shapes)
    got = tied.apply({"params": params}, *arguments, **more)
    want = untied.apply({"params": both}, *arguments, **more)
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert float(jnp.abs(got - jnp.asarray(SIZES["log_frequencies"])).max()) > 0.01


def test_a_tied_network_walks_as_it_reads():
    network = networks.CausalTransformer(K, **SIZES, tied=True)
    params = network.init(jax.random.key(0), X)
    at_once = network.apply(params, X)
    carry = network.apply(params, *X.shape, method="start")
    for p in range(X.shape[1]):
        carry, logits = network.apply(params, carry, X[:, p - 1], p, method="advance")
        np.testing.assert_allclose(logits, at_once[:, p], atol=1e-5)
