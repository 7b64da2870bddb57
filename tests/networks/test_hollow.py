import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
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
def apply(request):
    """Logits as a function of x_t and t, with parameters that open every path."""
    module = networks.Hollow(
        K, width=8, join_width=8, **{"join_blocks": 1, **SIZES[request.param]}
    )
    params = zoo.drawn(module, jnp.zeros((1, L), jnp.int32), jnp.array([0.5]))
    return jax.jit(functools.partial(module.apply, params))


@pytest.mark.few(1)
@pytest.mark.slow
def test_time_moves_every_logit(apply):
    x = jnp.zeros((1, L), jnp.int32)
    early, late = (np.asarray(apply(x, jnp.array([t]))) for t in (0.2, 0.8))
    assert (abs(early - late).max(axis=-1) > 1e-4).all()
    assert all(np.isfinite(np.asarray(apply(x, jnp.array([t])))).all() for t in (0.0, 1.0))


@pytest.mark.few(1)
@pytest.mark.slow
def test_rows_do_not_mix(apply):
    x = jax.random.randint(jax.random.key(3), (3, L), 0, K)
    t = jnp.array([0.1, 0.5, 0.9])
    together = apply(x, t)
    for row in range(3):
        alone = apply(x[row : row + 1], t[row : row + 1])
        np.testing.assert_allclose(together[row], alone[0], rtol=2e-5, atol=2e-5)


@pytest.mark.slow
def test_starts_at_the_frequencies():
    frequencies = (0.5, 0.2, 0.1, 0.1, 0.1)
    x, t = np.zeros((2, L), np.int32), np.array([0.1, 0.9], np.float32)
    for logs, starts in ((tuple(np.log(frequencies).tolist()), frequencies), (None, (0.2,) * K)):
        network = networks.Hollow(
            K, width=8, blocks=1, join_width=8, join_blocks=1, log_frequencies=logs
        )
        logits, _ = jax.jit(network.init_with_output)(jax.random.key(0), x, t)
        np.testing.assert_allclose(jax.nn.softmax(logits), np.tile(starts, (2, L, 1)), rtol=1e-5)
        assert logs or not np.any(logits)
