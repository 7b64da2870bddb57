"""Networks whose embeddings are their last layer's matrix, too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from tests import zoo

K, D = 6, 8
SIZES = dict(width=D, blocks=1, heads=2, log_frequencies=tuple(np.log(np.arange(1, K + 1))))
X = jnp.asarray(np.random.default_rng(0).integers(K, size=(2, 3)))
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


@pytest.mark.few(2)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_tied_network_is_the_untied_one_with_its_embeddings_for_a_matrix(name):
    network, numbers, arguments, more, rows = NETWORKS[name]
    tied = network(K, **SIZES, **numbers, tied=True)
    untied = network(K, **SIZES, **numbers)
    params = zoo.drawn(tied, *arguments, **more)["params"]
    out = {"kernel": params["in"]["kernel"][rows].T, "bias": params["out"]["bias"]}
    both = {**params, "out": out}
    shapes = jax.eval_shape(untied.init, jax.random.key(0), *arguments, **more)["params"]
    assert jax.tree.map(jnp.shape, both) == jax.tree.map(jnp.shape, shapes)
    got = jax.jit(tied.apply)({"params": params}, *arguments, **more)
    want = jax.jit(untied.apply)({"params": both}, *arguments, **more)
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert np.abs(got - np.array(SIZES["log_frequencies"])).max() > 0.01


def test_a_tied_network_walks_as_it_reads():
    """By the check of models, for parameters far from the first ones."""
    network, x = networks.CausalTransformer(K, **SIZES, tied=True), jnp.tile(X, (4, 1))
    params = {"network": zoo.drawn(network, x)["params"]}
    models.Autoregressive(network).check(params, jax.random.key(0), x)
