import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from scipy import special

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.diffusion.samplers import unmasking
from amd_jax.models import bounds
from amd_jax.models.code_lengths import CodeLength
from amd_jax.models.declared import Corrector
from tests import enumeration, zoo
from tests.models.means import assert_same_mean, draws
from tests.variants import quick

KERNEL = kernels.absorbing(schedules.linear, 3)
EVERY = enumeration.sequences(3, 3)


@pytest.fixture(scope="module")
def model():
    result = models.Diffusion(KERNEL, zoo.Table(4), steps=None)
    return result, zoo.parameters(result, length=3)


def lengths(model, option, seed=0):
    """The code length of every sequence, all of them in the same order where that is random."""
    result, params = model
    one = jax.jit(jax.vmap(lambda x: option(result, params, jax.random.key(seed), x[None])[0]))
    with jax.enable_x64(True):
        return np.asarray(one(jnp.asarray(EVERY)), np.float64)


@pytest.mark.few(1)
@pytest.mark.parametrize("by", unmasking.BY)
@pytest.mark.parametrize("seed", quick([0, 1], 0))
def test_probabilities_in_one_order_sum_to_one(model, by, seed):
    assert np.exp(lengths(model, CodeLength(order=by), seed)).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.few(1)
@pytest.mark.parametrize("by", ["probability", "margin", "entropy"])
def test_equal_places_are_revealed_from_the_left_whatever_the_key(by):
    """Of a batch, a network that takes all hidden places alike: every choice is a tie."""

    class Counts(nn.Module):
        @nn.compact
        def __call__(self, x_t, t, *, train=False):
            seen = jax.nn.one_hot(x_t, 4).sum(axis=1) @ self.param(
                "w", nn.initializers.normal(2), (4, 4)
            )
            return jnp.broadcast_to(seen[:, None], (*x_t.shape, 4))

    result = models.Diffusion(KERNEL, Counts(), steps=None)
    params = result.init(jax.random.key(3), jnp.asarray(EVERY))
    code = jax.jit(CodeLength(order=by), static_argnums=0)
    first, second = (np.asarray(code(result, params, jax.random.key(i), EVERY)) for i in (0, 1))
    np.testing.assert_array_equal(first, second)
    assert np.exp(np.float64(first)).sum() == pytest.approx(1, abs=1e-5)


def test_a_network_is_told_the_time_of_all_that_is_masked(model):
    """Of the first two tokens given the last but one: the last, not wanted, stays masked."""
    result = model[0]
    params = zoo.drawn(result, np.zeros((1, 4), np.int32))
    predict, x = jax.jit(result.open(params).predict), np.array([[0, 1, 2, 0]])
    known = np.array([[False, False, True, False]])
    wanted = np.array([[True, True, False, False]])
    exact = 0.0
    for place, seen in enumerate(([3, 3, 2, 3], [0, 3, 2, 3])):
        t = (3 - place) / 4  # the share that is masked, of which the last is one
        p = np.asarray(predict(np.array([seen]), np.array([t], np.float32)))
        exact += np.log(p[0, place, x[0, place]])
    one = jax.jit(functools.partial(CodeLength(order="left").one, result))
    np.testing.assert_allclose(one(params, jax.random.key(0), x, known, wanted), exact, rtol=1e-4)


@pytest.mark.slow
def test_of_the_exact_guess_every_order_gives_the_law_of_the_data():
    data = np.random.default_rng(0).dirichlet(np.full(27, 0.3)).reshape(3, 3, 3)

    class Exact:
        kernel = KERNEL
        open = staticmethod(lambda params: certificates.exact(KERNEL, data))

    for by in unmasking.BY:
        result = lengths((Exact(), {}), CodeLength(order=by))
        np.testing.assert_allclose(np.exp(result), data.ravel(), rtol=1e-3)


@pytest.mark.slow
def test_random_orders_from_the_bound_to_the_likelihood(model):
    """Their mean is the bound in continuous time, and no more than log-mean-exp.

    For a network that does not look at the time, which the masks tell.
    """
    result, params = model
    params = {"network": {**params["network"], "b": jnp.zeros_like(params["network"]["b"])}}
    x = EVERY[[5, 20]]
    one = draws(functools.partial(CodeLength(), result), params, x, 4000, seed=0)
    assert_same_mean(one, draws(result.elbo, params, x, 4000), 0.1)
    (several,) = draws(functools.partial(CodeLength(orders=64), result), params, x, 1, seed=2)
    assert (several > one.mean(axis=0)).all()
    np.testing.assert_allclose(several, special.logsumexp(one, axis=0) - np.log(4000), atol=0.3)


@pytest.mark.few(1)
@pytest.mark.parametrize("gap", [40.0, 80.0, 1e4])
@pytest.mark.parametrize("by", ["left", "random"])
def test_what_a_model_takes_for_impossible_costs_what_it_says(gap, by):
    """No floor: a token whose logit is `gap` below another costs that many nats."""

    class Sure(nn.Module):
        @nn.compact
        def __call__(self, x_t, t, *, train=False):
            return jnp.broadcast_to(jnp.array([gap, 0.0, -gap, 0.0]), (*x_t.shape, 4))

    result = models.Diffusion(KERNEL, Sure(), steps=None)
    x = jnp.array([[0, 1, 2], [0, 0, 0]])
    nats = jax.jit(CodeLength(order=by), static_argnums=0)(result, {}, jax.random.key(0), x)
    np.testing.assert_allclose(nats, [-3 * gap, 0.0], rtol=1e-6, atol=1e-6)


def test_it_is_for_masks(model):
    walk = zoo.diffusion("walk", "table", 4)
    has = ["code_length" in [bound.name for bound in bounds.of(each)] for each in (model[0], walk)]
    assert has == [True, False]
    assert [editor.name for editor in model[0].editors] == ["edit"]
    assert [editor.name for editor in walk.editors] == ["correct", "edit"]
    assert [isinstance(editor, Corrector) for editor in walk.editors] == [True, False]
    told = "exact code length in order random, 3 averaged"
    assert CodeLength(orders=3).describe(model[0]) == told
    with pytest.raises(ValueError, match="order is one of .*; got order=luck"):
        CodeLength(order="luck")
    with pytest.raises(ValueError, match="orders=3 is for order=random"):
        CodeLength(order="left", orders=3)
