"""The KL comes in late, the decoder weighs more at first, and then the loss is the bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.learning import latent_objectives, objectives
from amd_jax.transforms import elementwise, encodings, laws
from tests import enumeration, zoo

X = enumeration.sequences(3, zoo.LENGTH)
DATA = jnp.array([[0, 1], [2, 2], [1, 0]])


def latent_flow():
    """An auto-encoder, and a prior with parameters at both places."""
    read = encodings.Learned(zoo.Context(zoo.LENGTH * 3))
    lift = encodings.Encoding(3, zoo.law(laws.LOGISTIC, (2,), 1), read)
    return models.Flow((lift, elementwise.ActNorm()), laws.Learned(laws.LOGISTIC))


@pytest.fixture(scope="module")
def model():
    return latent_flow()


@pytest.fixture(scope="module")
def params(model):
    return zoo.parameters(model)


def test_the_weight_is_zero_then_rises_to_one(model):
    objective = latent_objectives.WarmedElbo(model, without=100, rising=50)
    weights = [float(objective.weight(jnp.array(rows))) for rows in (0, 100, 125, 150, 999)]
    assert weights == [0, 0, 0.5, 1, 1]
    memory = objective.init()
    for _ in range(3):
        memory = objective.update(memory, jnp.array(7))
    assert memory == 21


@pytest.mark.slow
def test_between_the_decoder_alone_and_the_bound(model, params):
    objective = latent_objectives.WarmedElbo(model, without=0, rising=4)
    rng = jax.random.key(0)
    losses = {}
    for rows in (0, 2, 4):
        losses[rows], evidence = jax.jit(objective.loss)(params, jnp.array(rows), rng, X)
        assert evidence == len(X)
    bound, _ = jax.jit(objectives.NegativeElbo(model).loss)(params, (), rng, X)
    np.testing.assert_allclose(losses[4], bound, rtol=1e-5)
    np.testing.assert_allclose(losses[2], (losses[0] + losses[4]) / 2, rtol=1e-5)
    lift, own = model.transforms[0], params["00_Encoding"]
    _, log_p, log_q = lift.draw(own, jax.random.fold_in(rng, 0), X)
    np.testing.assert_allclose(losses[0], -log_p, rtol=1e-5)
    _, nats = lift.forward(own, jax.random.fold_in(rng, 0), X)
    np.testing.assert_allclose(nats, log_p - log_q, rtol=1e-5)


def test_other_models_and_numbers_are_refused(model):
    with pytest.raises(ValueError, match="WarmedElbo weighs .* starts with Digits. Use"):
        latent_objectives.WarmedElbo(zoo.flow("binary", 2, 3), 1, 1)
    with pytest.raises(ValueError, match="got without=1, rising=-1"):
        latent_objectives.WarmedElbo(model, 1, -1)


@pytest.fixture(scope="module")
def situation():
    encoder = laws.Conditional(laws.LOGISTIC, networks.ClassTable(3, 4), (2,))
    model = models.Flow((encodings.Encoding(3, encoder),), laws.Learned(laws.LOGISTIC))
    return model, zoo.parameters(model, data=DATA)


@pytest.mark.slow
def test_the_decoder_weighs_more_at_first(situation):
    """The value is -elbo; the gradient that of -elbo - (β - 1) log p(x | z), β = 3, 2, 1.5."""
    model, params = situation
    objective = latent_objectives.WeightedDecoder(model, first=3.0, half_life=2.0)
    rng, memory = jax.random.key(0), objective.init()

    def weighted(params, more):
        z, nats = model.forward(params, rng, DATA)
        part = model.transforms[0]
        log_p = part.log_probs(params["00_Encoding"], z)
        own = jnp.take_along_axis(log_p, DATA[..., None], axis=-1).sum()
        return -(nats + model.base.log_prob(params["base"], z)).sum() - more * own

    def loss(params, memory):
        return objective.loss(params, memory, rng, DATA)[0].sum()

    for step in range(5):
        if step % 2 == 0:
            value, result = jax.value_and_grad(loss)(params, memory)
            np.testing.assert_allclose(value, weighted(params, 0.0), rtol=1e-5)
            want = jax.grad(weighted)(params, 2.0 * 0.5 ** (step / 2))
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), result, want)
        memory = objective.update(memory, ())


def test_what_the_decoder_weighs_more_halves(situation, monkeypatch):
    """Where what is there for its gradient has its value: -(β - 1) log p(x | z), β from 3."""
    monkeypatch.setattr(latent_objectives, "gradient_only", lambda a: a)
    model, params = situation
    rng = jax.random.key(0)

    objective = latent_objectives.WeightedDecoder(model, first=3.0, half_life=2.0)

    @jax.jit
    def losses(memory):
        result, _ = objective.loss(params, memory, rng, DATA)
        key = jax.random.fold_in(rng, 0)
        _, log_p, _ = model.transforms[0].draw(params["00_Encoding"], key, DATA)
        return result + model.elbo(params, rng, DATA), log_p

    for memory, weight in ((0.0, 2.0), (2.0, 1.0), (4.0, 0.5)):
        result, log_p = losses(jnp.array(memory))
        np.testing.assert_allclose(result, -weight * log_p, rtol=1e-3)


def test_what_has_no_decoder_is_refused(situation):
    with pytest.raises(ValueError, match="WeightedDecoder weighs .* starts with Digits. Use"):
        latent_objectives.WeightedDecoder(zoo.flow("binary", 2, 2))
    with pytest.raises(ValueError, match=r"half_life must be above 0; got 0"):
        latent_objectives.WeightedDecoder(situation[0], half_life=0)
