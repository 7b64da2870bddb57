"""Encodings: on their own base every draw is exact, and decoders are Bayes' rule."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks, recipes
from amd_jax.ops import scalars
from amd_jax.transforms import conditional, encodings, laws
from tests import enumeration, zoo
from tests.variants import quick

K, DIM = 5, 3
PRIOR = np.log([0.1, 0.3, 0.2, 0.35, 0.05])


def encoder(kind):
    if kind == "mixture":
        table = networks.ClassTable(K, 2 * DIM, spread=(1.0, 0.3) * DIM)
        return laws.Conditional(laws.LOGISTIC, table, (DIM,))
    noise, make = laws.Fixed(laws.LOGISTIC), lambda outputs: networks.MLP(outputs, 8)
    table, affine = networks.ClassTable(K, 4), scalars.Affine(1.0)
    return conditional.linear_flow(noise, table, 4, (DIM,), 2, make, affine)


def situation(kind):
    """An encoding with shaken parameters, and rows."""
    part = encodings.Encoding(K, encoder(kind), encodings.Bayes(PRIOR))
    x = jnp.tile(jnp.asarray(enumeration.sequences(K, 2)), (20, 1))
    return part, zoo.parameters(part, scale=0.3, data=x), x


class OwnBase:
    """Σ_k π_k q(z | k) of every place, by a loop over the classes."""

    def __init__(self, part):
        self.part = part

    def log_prob(self, params, z):
        rows = z.reshape(-1, DIM)
        q = [self.part.encoder.log_prob(params, rows, jnp.full(len(rows), k)) for k in range(K)]
        log_m = jax.nn.logsumexp(jnp.stack(q, axis=-1) + PRIOR, axis=-1)
        return log_m.reshape(len(z), -1).sum(axis=1)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("kind", quick(("mixture", "linear_flow"), "mixture"))
def test_on_their_own_base_every_single_draw_is_log_p(kind):
    """And densities are those of the draws: of all rows, and of one class that broadcasts."""
    part, params, x = situation(kind)
    model = models.Flow((part,), OwnBase(part))
    own = {"00_Encoding": params, "base": params["encoder"]}
    elbo = jax.jit(model.elbo)(own, jax.random.key(1), x)
    np.testing.assert_allclose(elbo, PRIOR[x].sum(axis=1), atol=1e-5)
    draw = jax.jit(part.encoder.sample_and_log_prob)
    z, log_q = draw(params["encoder"], jax.random.key(2), x)
    log_prob = functools.partial(jax.jit(part.encoder.log_prob), params["encoder"])
    np.testing.assert_allclose(log_prob(z, x), log_q, rtol=1e-5, atol=1e-4)
    rows = z.reshape(-1, DIM)
    one, all = (log_prob(rows, jnp.full(n, 3)) for n in (1, len(rows)))
    np.testing.assert_allclose(one, all, rtol=1e-5, atol=1e-5)


def test_a_token_of_no_class_is_refused_or_has_no_probability():
    part, params, x = situation("mixture")
    x = x.at[1, 0].set(K).at[2, 1].set(-1)  # of which a table knows the first only
    with pytest.raises(ValueError, match="got 5 at index"):
        part.forward(params, jax.random.key(0), x)
    _, nats = jax.jit(part.forward)(params, jax.random.key(0), x)
    assert np.isnan(nats).tolist() == [i in (1, 2) for i in range(len(x))]


@pytest.mark.slow
def test_decodes_by_draws_from_the_posterior():
    part, params, _ = situation("mixture")
    z = jax.random.normal(jax.random.key(3), (1, 1, DIM))
    law = np.exp(jax.jit(part.log_probs)(params, z))[0, 0]
    assert np.sort(law)[-2] > 0.05
    drawn = jax.jit(part.inverse)(params, jax.random.key(4), jnp.tile(z, (5000, 1, 1)))
    enumeration.assert_drawn_from(drawn, law)


def test_a_learned_decoder_has_a_logit_for_each_class():
    part = encodings.Encoding(K, encoder("mixture"), encodings.Learned(networks.MLP(4)))
    with pytest.raises(ValueError, match="its last axis have 5 numbers"):
        jax.eval_shape(part.init, jax.random.key(0), jnp.zeros((2, 3), int))


@pytest.mark.parametrize(("number", "dim"), [(91, 1), (5, 1), (91, 2), (27, 3), (16, 4), (2, 3)])
def test_a_lattice_fills_its_cube_evenly(number, dim):
    places = recipes.lattice(number, dim)
    side = number ** (1 / dim)
    assert places.shape == (number, dim)
    assert abs(places).max() <= side / 2
    np.testing.assert_allclose(np.diff(places[:, 0]), side / number)  # in order
    away = np.linalg.norm(places[:, None] - places, axis=-1)[~np.eye(number, dtype=bool)]
    assert 0.95 <= away.min() < 1.2


@pytest.mark.slow
def test_classes_start_apart():
    encoding, _ = recipes.mixture_encoding((0.0,) * 27, 3, apart=4.0)
    x = jnp.arange(27)[None]
    params = jax.jit(encoding.init)(jax.random.key(0), x)
    draws = jax.jit(jax.vmap(lambda rng: encoding.forward(params, rng, x)[0]))
    z = draws(jax.random.split(jax.random.key(1), 200))
    right = (jax.jit(encoding.log_probs)(params, z).argmax(axis=-1) == x).mean()
    assert right > 0.85
    np.testing.assert_allclose(z.std(axis=0).mean(), np.pi / np.sqrt(3), rtol=0.05)


@pytest.mark.slow
def test_classes_that_lie_on_each_other_are_told_apart_by_their_frequencies():
    encoding, _ = recipes.mixture_encoding(tuple(PRIOR), DIM, apart=0.0)
    x = jnp.arange(K)[None]
    params = jax.jit(encoding.init)(jax.random.key(0), x)
    z, _ = jax.jit(encoding.forward)(params, jax.random.key(1), x)
    log_probs = jax.jit(encoding.log_probs)(params, z)
    np.testing.assert_allclose(log_probs, jnp.broadcast_to(PRIOR, log_probs.shape), atol=1e-5)


def test_the_posterior_weighs_classes_by_their_prior():
    q, prior = np.array([[0.5, 0.2, 0.3]]), np.array([0.2, 0.5, 0.3])
    bayes = encodings.Bayes(np.log(prior))
    result = bayes.log_probs({}, jnp.zeros((1, 2)), 3, lambda: jnp.log(jnp.asarray(q)))
    np.testing.assert_allclose(np.exp(result), q * prior / (q * prior).sum(), rtol=1e-5)
