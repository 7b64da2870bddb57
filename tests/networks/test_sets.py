import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks

NETWORK = networks.SetTransformer(2, components=3, width=8, blocks=2, heads=2)
V = jax.random.normal(jax.random.key(0), (2, 5, 3))


def parameters():
    params = jax.jit(NETWORK.init)(jax.random.key(1), V)
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda w: w + 0.3 * rng.standard_normal(w.shape).astype("f"), params)


@pytest.mark.slow
def test_outputs_move_with_the_elements():
    params, apply = parameters(), jax.jit(NETWORK.apply)
    out = apply(params, V)
    assert (out.shape, out.dtype) == ((2, 5, 2, 11), jnp.float32)
    order = jnp.array([3, 0, 4, 2, 1])
    np.testing.assert_allclose(apply(params, V[:, order]), out[:, order], atol=1e-5)


@pytest.mark.slow
def test_log_scales_are_bounded():
    params = jax.tree.map(lambda w: 30 * w, parameters())
    bounds = params["params"]["bounds"]
    params["params"]["bounds"] = jax.tree.map(jnp.zeros_like, bounds)
    out = jax.jit(NETWORK.apply)(params, V)
    assert jnp.abs(out[..., 1]).max() <= 1
    assert jnp.abs(out[..., -3:]).max() <= 1
    assert jnp.abs(out[..., 0]).max() > 1


@pytest.mark.slow
def test_a_table_starts_where_it_is_told():
    table = networks.ClassTable(4, 2, start=(3.0, -1.0), spread=(2.0, 0.0))
    x = jnp.arange(4)[None]
    out = table.apply(table.init(jax.random.key(0), x), x)[0]
    assert (out[:, 1] == -1).all()
    assert 0.5 < out[:, 0].std() < 5
    assert len(set(out[:, 0].tolist())) == 4
    own = ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0))
    each = networks.ClassTable(4, 2, own, (0.0,))
    assert each.apply(each.init(jax.random.key(0), x), x)[0].tolist() == [list(row) for row in own]


@pytest.mark.slow
def test_an_mlp_starts_at_zero():
    network = networks.MLP(3, width=4)
    params = network.init(jax.random.key(0), V)
    out = network.apply(params, V)
    assert out.shape == (2, 5, 3)
    assert (out == 0).all()
    assert network.apply(jax.tree.map(lambda w: w + 0.1, params), V).std() > 0
