"""The KL comes in late, the decoder weighs more at first, and then the loss is the bound."""

import functools

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


@pytest.fixture(scope="module")
def model():
    """An auto-encoder, and a prior with parameters at both places."""
    read = encodings.Learned(zoo.Context(zoo.LENGTH * 3))
    lift = encodings.Encoding(3, zoo.law(laws.LOGISTIC, (2,), 1), read)
    return models.Flow((lift, elementwise.ActNorm()), laws.Learned(laws.LOGISTIC))


def test_the_weight_is_zero_then_rises_to_one(model):
    objective = latent_objectives.WarmedElbo(model, without=100, rising=50)
    weights = [float(objective.weight(jnp.array(rows))) for rows in (0, 100, 125, 150, 999)]
    assert weights == [0, 0, 0.5, 1, 1]
    memory = objective.init()
    for _ in range(3):
        memory = objective.update(memory, jnp.array(7))
    assert memory == 21


def test_between_the_decoder_alone_and_the_bound(model):
    objective = latent_objectives.WarmedElbo(model, without=0, rising=4)
    params, rng, lift = zoo.parameters(model), jax.random.key(0), model.transforms[0]

    @functools.partial(jax.jit, compiler_options=zoo.HASTE)
    def all_of(params):
        key, own = jax.random.fold_in(rng, 0), params["00_Encoding"]
        losses = [objective.loss(params, jnp.array(rows), rng, X) for rows in (0, 2, 4)]
        bound, _ = objectives.NegativeElbo(model).loss(params, (), rng, X)
        return losses, bound, lift.draw(own, key, X), lift.forward(own, key, X)[1]

    losses, bound, (_, log_p, log_q), nats = all_of(params)
    (decoder, between, whole), evidence = zip(*losses, strict=True)
    assert evidence == (len(X),) * 3
    np.testing.assert_allclose(whole, bound, rtol=1e-5)
    np.testing.assert_allclose(between, (decoder + whole) / 2, rtol=1e-5)
    np.testing.assert_allclose(decoder, -log_p, rtol=1e-5)
    np.testing.assert_allclose(nats, log_p - log_q, rtol=1e-5)


def test_the_decoder_weighs_more_at_first():
    """The value is -elbo; the gradient that of -elbo - (β - 1) log p(x | z); β - 1 halves."""
    encoder = laws.Conditional(laws.LOGISTIC, networks.ClassTable(3, 4), (2,))
    model = models.Flow((encodings.Encoding(3, encoder),), laws.Learned(laws.LOGISTIC))
    objective = latent_objectives.WeightedDecoder(model, first=3.0, half_life=2.0)
    params, rng = zoo.parameters(model, data=DATA), jax.random.key(0)

    def weighted(params, more):
        z, nats = model.forward(params, rng, DATA)
        log_p = model.transforms[0].log_probs(params["00_Encoding"], z)
        own = jnp.take_along_axis(log_p, DATA[..., None], axis=-1).sum()
        return -(nats + model.base.log_prob(params["base"], z)).sum() - more * own

    def loss(params, memory):
        return objective.loss(params, memory, rng, DATA)[0].sum()

    @jax.jit
    def both(memory, more):
        want = weighted(params, 0.0), jax.grad(weighted)(params, more)
        return jax.value_and_grad(loss)(params, memory), want

    memory = objective.init()
    for step in range(5):
        (value, slope), (exact, want) = both(memory, 2.0 * 0.5 ** (step / 2))
        np.testing.assert_allclose(value, exact, rtol=1e-5)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), slope, want)
        memory = objective.update(memory, ())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda flow: latent_objectives.WarmedElbo(zoo.flow("binary", 2, 3), 1, 1),
            "WarmedElbo weighs .* starts with Digits. Use",
        ),
        (
            lambda flow: latent_objectives.WeightedDecoder(zoo.flow("binary", 2, 2)),
            "WeightedDecoder weighs .* starts with Digits. Use",
        ),
        (
            lambda flow: latent_objectives.WarmedElbo(flow, 1, -1),
            "got without=1, rising=-1",
        ),
        (
            lambda flow: latent_objectives.WeightedDecoder(flow, half_life=0),
            "half_life must be above 0; got 0",
        ),
    ],
)
def test_other_models_and_numbers_are_refused(model, make, message):
    with pytest.raises(ValueError, match=message):
        make(model)
