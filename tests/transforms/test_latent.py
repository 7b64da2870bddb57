"""What the parts of latent flows refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks, recipes
from amd_jax.ops import scalars
from amd_jax.transforms import coupling, encodings, laws, recurrent
from tests import zoo


@pytest.mark.slow
def test_a_token_of_no_class_is_refused_or_nan():
    read = encodings.Learned(zoo.Context(zoo.LENGTH * 3))
    lift = encodings.Encoding(3, zoo.law(laws.NORMAL, (2,), 1), read)
    x, rng = jnp.array([[0, 1], [2, 3]]), jax.random.key(0)
    params = lift.init(rng, x % 3)
    with pytest.raises(ValueError, match="got 3 at index"):
        lift.forward(params, rng, x)
    _, nats = jax.jit(lift.forward)(params, rng, x)
    np.testing.assert_array_equal(jnp.isnan(nats), [False, True])


@pytest.mark.usefixtures("any_types")
def test_what_a_flow_over_time_reads_is_data_or_latents():
    with pytest.raises(ValueError, match="reads data or latents; got 'noise'"):
        recurrent.Recurrent(None, 2, (), reads="noise")


def test_a_flow_over_time_walks_back():
    """From step to step, each given those before it."""
    x = jax.random.normal(jax.random.key(0), (3, zoo.LENGTH, 2))
    moving = coupling.Coupling(networks.MLP(2, 4), scalars.Affine(1.0), context=4)
    layer = recurrent.Recurrent(networks.LatentLSTM(4, zoo.LENGTH), 4, (moving,))
    params = zoo.drawn(layer, x)

    @jax.jit
    def there_and_back(x):
        z, _ = layer.forward(params, jax.random.key(1), x)
        return z, layer.inverse(params, jax.random.key(2), z)

    z, back = there_and_back(x)
    np.testing.assert_allclose(back, x, atol=1e-4)
    other, _ = there_and_back(x.at[:, 0].add(1.0))
    assert (abs(other - z)[:, 1] > 1e-4).any()  # the first step moves the second


def test_another_kind_of_latent_flow_is_refused():
    with pytest.raises(ValueError, match="one of af_af, af_scf, iaf_scf; got 'iaf_af'"):
        recipes.latent_flow("iaf_af", 3, 4, {})
