import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.diffusion import kernels, schedules
from tests import zoo
from tests.variants import quick

K, L = 5, 7
SIZES = {
    "convolutions": dict(blocks=2, taps=2),
    "dilated": dict(blocks=2, taps=2, dilations=(1, 3)),
    "attention": dict(blocks=1, taps=2, heads=2),
    "no join": dict(blocks=1, taps=3, join_blocks=0),
    "contexts": dict(blocks=1, taps=1, table_width=4),
}


@pytest.fixture(scope="module", params=quick(SIZES, "convolutions"))
def network(request):
    """Logits as a function of x_t and t, with parameters that open every path."""
    module = networks.Hollow(
        K, width=8, join_width=8, **{"join_blocks": 1, **SIZES[request.param]}
    )
    x, t = jnp.zeros((1, L), jnp.int32), jnp.array([0.5])
    params = module.init(jax.random.key(0), x, t)["params"]
    leaves, tree = jax.tree.flatten(params)
    rngs = jax.random.split(jax.random.key(1), len(leaves))
    shaken = [a + 0.5 * jax.random.normal(r, a.shape) for a, r in zip(leaves, rngs, strict=True)]
    apply = functools.partial(module.apply, {"params": jax.tree.unflatten(tree, shaken)})
    return request.param, jax.jit(apply)


@pytest.mark.few(slow=1)
@pytest.mark.slow
def test_every_token_but_the_own_one_is_seen(network):
    name, apply = network
    x = np.array(jax.random.randint(jax.random.key(2), (1, L), 0, K))
    before = np.asarray(apply(x, jnp.array([0.5])))
    assert before.shape == (1, L, K)
    assert before.dtype == np.float32
    moved = np.zeros((L, L))
    for n in range(L):
        for shift in range(1, K):
            changed = x.copy()
            changed[0, n] = (x[0, n] + shift) % K
            difference = abs(np.asarray(apply(changed, jnp.array([0.5]))) - before)[0]
            moved[n] = np.maximum(moved[n], difference.max(axis=-1))
    assert (np.diag(moved) == 0).all()
    reach = {"convolutions": 4, "no join": 5, "contexts": 5}.get(
        name, L
    )  # taps + (taps - 1) * Σ dilations
    place = np.arange(L)
    near = (place[:, None] != place) & (abs(place[:, None] - place) <= reach)
    assert (moved[near] > 1e-5).all(), moved
    far = abs(place[:, None] - place) > reach
    assert (moved[far] == 0).all(), moved


@pytest.mark.few(slow=1)
@pytest.mark.slow
def test_time_moves_every_logit(network):
    _, apply = network
    x = jnp.zeros((1, L), jnp.int32)
    early, late = (np.asarray(apply(x, jnp.array([t]))) for t in (0.2, 0.8))
    assert (abs(early - late).max(axis=-1) > 1e-4).all()
    assert all(np.isfinite(np.asarray(apply(x, jnp.array([t])))).all() for t in (0.0, 1.0))


@pytest.mark.few(slow=1)
@pytest.mark.slow
def test_rows_do_not_mix(network):
    _, apply = network
    x = jax.random.randint(jax.random.key(3), (3, L), 0, K)
    t = jnp.array([0.1, 0.5, 0.9])
    together = apply(x, t)
    for row in range(3):
        alone = apply(x[row : row + 1], t[row : row + 1])
        np.testing.assert_allclose(together[row], alone[0], rtol=2e-5, atol=2e-5)


@pytest.mark.slow
def test_starts_at_the_frequencies():
    frequencies = (0.5, 0.2, 0.1, 0.1, 0.1)
    logs = tuple(np.log(frequencies).tolist())
    module = networks.Hollow(
        K, width=8, blocks=1, join_width=8, join_blocks=1, log_frequencies=logs
    )
    x, t = jnp.zeros((2, L), jnp.int32), jnp.array([0.1, 0.9])
    params = module.init(jax.random.key(0), x, t)
    p = jax.nn.softmax(module.apply(params, x, t))
    np.testing.assert_allclose(p, np.broadcast_to(frequencies, (2, L, K)), rtol=1e-5)
    uniform = networks.Hollow(K, width=8, blocks=1, join_width=8, join_blocks=1)
    logits = uniform.apply(uniform.init(jax.random.key(0), x, t), x, t)
    np.testing.assert_array_equal(logits, 0)


@pytest.mark.slow
def test_dropout_needs_training_and_a_key():
    module = networks.Hollow(K, width=8, blocks=1, join_width=8, join_blocks=1, dropout=0.5)
    model = zoo.models.Diffusion(kernels.uniform(schedules.cosine, K), module, steps=3)
    params = zoo.parameters(model, length=L)
    x, t = jnp.ones((2, L), jnp.int32), jnp.array([0.5, 0.5])
    calm = model.open(params).predict(x, t)
    np.testing.assert_array_equal(calm, model.open(params).predict(x, t, jax.random.key(0)))
    training = model.open(params, train=True)
    one, two = (training.predict(x, t, jax.random.key(i)) for i in (0, 1))
    assert (abs(one - two) > 1e-3).any()
    assert (abs(one - calm) > 1e-3).any()


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"width": 0}, "width must be at least 1; got width=0"),
        ({"blocks": -1}, "blocks must be at least 1; got blocks=-1"),
        ({"dilations": ()}, "dilations must be at least 1; got dilations=0"),
        (
            {"heads": -1},
            "heads >= 0 and a width that 2 \\* heads divides; got width=8 and heads=-1",
        ),
        ({"heads": 3}, "got width=8 and heads=3"),
    ],
)
def test_sizes_that_make_no_network_are_refused(size, message):
    network = networks.Hollow(K, **{"width": 8, **size})
    with pytest.raises(ValueError, match=message):
        network.init(jax.random.key(0), jnp.zeros((1, L), jnp.int32), jnp.array([0.5]))
