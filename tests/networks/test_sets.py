import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from tests import zoo


@pytest.mark.slow
def test_outputs_move_with_the_elements():
    network = networks.SetTransformer(2, components=3, width=8, blocks=2, heads=2)
    v = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("f")
    params, apply = zoo.drawn(network, v), jax.jit(network.apply)
    out, order = apply(params, v), np.array([3, 0, 4, 2, 1])
    assert (out.shape, out.dtype) == ((2, 5, 2, 11), jnp.float32)
    np.testing.assert_allclose(apply(params, v[:, order]), out[:, order], atol=1e-5)


@pytest.mark.slow
def test_a_table_starts_where_it_is_told():
    """At rows of its own; or around one, its numbers as far from it as their spread says."""
    x, own = jnp.arange(4)[None], ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0))
    around = networks.ClassTable(4, 2, start=(3.0, -1.0), spread=(2.0, 0.0))
    each = networks.ClassTable(4, 2, own, (0.0,))
    out, rows = (table.init_with_output(jax.random.key(0), x)[0][0] for table in (around, each))
    assert (out[:, 1] == -1).all()
    assert 0.5 < out[:, 0].std() < 5
    assert len(set(out[:, 0].tolist())) == 4
    np.testing.assert_array_equal(rows, own)
