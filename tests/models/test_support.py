"""Models of rows of a table; test_supports.py has what sums to one."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.ops.columns import Columns
from tests import enumeration, zoo
from tests.models.means import assert_mean
from tests.models.rows import K, compiled, drawn, is_row, masked, multinomial
from tests.variants import quick

LENGTH = 3
EVERY = enumeration.sequences(K, LENGTH)
NAMES = quick(zoo.COLUMNS, "digits")


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["confidence", "entropy_bound", "remasking-sharpened"])
def test_sharpened_draws_of_masks_are_possible(sampler):
    model, params = masked("columns")
    model = dataclasses.replace(model, steps=8)
    x = drawn(model, params, sampler=zoo.SAMPLERS[sampler])
    assert is_row(model.support, x).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_masks_fill_in_is_possible_and_keeps_what_is_known(name):
    columns, (model, params) = zoo.COLUMNS[name], masked(name)
    x = np.repeat(EVERY[is_row(columns, EVERY)], 40, axis=0)
    known = np.random.default_rng(0).random(x.shape) < 0.5
    one_by_one = functools.partial(model.infill, sampler=samplers.FirstHitting())
    y = np.asarray(compiled(one_by_one)(params, jax.random.key(3), jnp.asarray(x), known))
    assert is_row(columns, y).all()
    np.testing.assert_array_equal(y[known], x[known])
    assert (y != x).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_bound_of_noise_within_columns_is_the_exact_one(name):
    columns, (model, params) = zoo.COLUMNS[name], multinomial(name)
    x = EVERY[is_row(columns, EVERY)]
    exact = enumeration.bound(model, params, x)
    p = enumeration.law(model, params, LENGTH)[enumeration.number(x, K)]
    assert (exact <= np.log(p) + 1e-5).all()
    nats = compiled(model.elbo)(params, jax.random.key(2), jnp.tile(x, (3000, 1)))
    assert_mean(np.asarray(nats, np.float64).reshape(3000, -1), exact, 0.12)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_endless_steps_within_columns_are_as_a_thousand():
    model, params = multinomial("digits", steps=1000)
    x = jnp.tile(EVERY[is_row(model.support, EVERY)], (60_000, 1))
    means, errors = [], []
    for steps in (1000, None):
        elbo = jax.jit(dataclasses.replace(model, steps=steps).elbo)
        nats = np.asarray(elbo(params, jax.random.key(3), x), np.float64).reshape(60_000, -1)
        means.append(nats.mean(axis=1).mean())
        errors.append(nats.mean(axis=1).std() / 60_000**0.5)
    error = np.hypot(*errors)
    assert error < 0.02
    assert abs(means[0] - means[1]) < 5 * error


WRONG = Columns((2, 3), (0, 1), (2, 3)), Columns((5, 2, 2), (0, 1, 2), (5, 2, 2))


@pytest.mark.parametrize("columns", quick(WRONG, *WRONG), ids=["fields", "classes"])
def test_a_support_of_other_rows_is_refused_when_a_model_is_made(columns):
    x = jax.ShapeDtypeStruct((2, LENGTH), np.int32)
    kernel = kernels.absorbing(schedules.linear, K)
    for model in (
        models.Diffusion(kernel, zoo.Table(K + 1), 3, support=columns),
        models.Autoregressive(zoo.CausalTable(K), support=columns),
    ):
        with pytest.raises(ValueError, match=r"is for rows of as many.*got x of shape \(2, 3\)"):
            jax.eval_shape(model.init, jax.random.key(0), x)


def test_priors_of_other_tokens_are_refused_when_a_model_is_made():
    kernel = kernels.uniform_within(schedules.cosine, np.ones((2, K), bool))
    model = models.Diffusion(kernel, zoo.Table(K), 3)
    with pytest.raises(ValueError, match=r"for x of shape \('B', 2\); got \(2, 3\)"):
        jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((2, LENGTH), np.int32))
