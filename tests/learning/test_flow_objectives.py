import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.learning import flow_objectives
from amd_jax.transforms import encodings, laws
from tests import zoo

X = jnp.array([[0, 1], [2, 2], [1, 0]])


@pytest.fixture(scope="module")
def situation():
    encoder = laws.Conditional(laws.LOGISTIC, networks.ClassTable(3, 4), (2,))
    model = models.Flow((encodings.Encoding(3, encoder),), laws.Learned(laws.LOGISTIC))
    return model, zoo.parameters(model, data=X)


def test_the_decoder_weighs_more_at_first(situation):
    """The value is -elbo; the gradient that of -elbo - (β - 1) log p(x | z), β = 3, 2, 1.5."""
    model, params = situation
    objective = flow_objectives.WeightedDecoder(model, first=3.0, half_life=2.0)
    rng, memory = jax.random.key(0), objective.init()

    def weighted(params, more):
        z, nats = model.forward(params, rng, X)
        part = model.transforms[0]
        log_p = part.log_probs(params["00_Encoding"], z)
        own = jnp.take_along_axis(log_p, X[..., None], axis=-1).sum()
        return -(nats + model.base.log_prob(params["base"], z)).sum() - more * own

    def loss(params, memory):
        return objective.loss(params, memory, rng, X)[0].sum()

    for step in range(5):
        if step % 2 == 0:
            value, found = jax.value_and_grad(loss)(params, memory)
            np.testing.assert_allclose(value, weighted(params, 0.0), rtol=1e-5)
            want = jax.grad(weighted)(params, 2.0 * 0.5 ** (step / 2))
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), found, want)
        memory = objective.update(memory, ())


def test_what_has_no_decoder_is_refused(situation):
    with pytest.raises(ValueError, match="of an Encoding, the first part of a flow; got Digits"):
        flow_objectives.WeightedDecoder(zoo.flow("binary", 2, 2))
    with pytest.raises(ValueError, match=r"half_life must be above 0; got 0"):
        flow_objectives.WeightedDecoder(situation[0], half_life=0)
