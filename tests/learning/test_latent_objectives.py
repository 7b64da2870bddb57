"""The KL of a latent flow comes in late, and then the loss is the bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.learning import latent_objectives, objectives
from amd_jax.transforms import autoencoder, elementwise, laws
from tests import enumeration, zoo

X = enumeration.sequences(3, zoo.LENGTH)


def latent_flow():
    """An auto-encoder, and a prior with parameters at both places."""
    lift = autoencoder.AutoEncoder(
        zoo.law(laws.LOGISTIC, (2,), 1), laws.Categorical(3), zoo.Context(zoo.LENGTH * 3)
    )
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
    lift, own = model.transforms[0], params["00_AutoEncoder"]
    _, log_p, log_q = lift.draw(own, jax.random.fold_in(rng, 0), X)
    np.testing.assert_allclose(losses[0], -log_p, rtol=1e-5)
    _, nats = lift.forward(own, jax.random.fold_in(rng, 0), X)
    np.testing.assert_allclose(nats, log_p - log_q, rtol=1e-5)


def test_other_models_and_numbers_are_refused(model):
    with pytest.raises(ValueError, match="starts with Digits. Use NegativeElbo"):
        latent_objectives.WarmedElbo(zoo.flow("binary", 2, 3), 1, 1)
    with pytest.raises(ValueError, match="got without=1, rising=-1"):
        latent_objectives.WarmedElbo(model, 1, -1)
