"""Models of rows of a table: all mass is on possible rows, by enumeration of every row."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.models.autoregressive import LeftToRight
from amd_jax.models.code_lengths import CodeLength
from amd_jax.ops.columns import Columns
from amd_jax.transforms import argmax, laws
from tests import enumeration, zoo
from tests.models.means import assert_mean
from tests.variants import quick

K, LENGTH = 4, 3
EVERY = enumeration.sequences(K, LENGTH)
NAMES = quick(zoo.COLUMNS, "digits")


def is_row(columns, x):
    """Which of x (N, L) are rows of a table: by their codes."""
    result = (x < np.array(columns.sizes)).all(axis=1)
    for fields in columns.of_columns():
        code = np.zeros(len(x), int)
        for i in fields:
            code = code * columns.sizes[i] + x[:, i]
        result &= code < columns.limits[fields[0]]
    return result


def compiled(f, **static):
    return jax.jit(f, compiler_options=zoo.HASTE, **static)


def drawn(model, params, number=4000, sampler=None):
    how = {} if sampler is None else {"sampler": sampler}
    draw = functools.partial(model.sample, shape=(number, LENGTH), **how)
    return np.asarray(compiled(draw)(params, jax.random.key(7)))


@functools.cache
def masked(name):
    """A masked diffusion, of a network that does not look at the time."""
    kernel = kernels.absorbing(schedules.linear, K)
    model = models.Diffusion(kernel, zoo.Table(K + 1), 3, support=zoo.COLUMNS[name])
    network = zoo.parameters(model, length=LENGTH, scale=1.0)["network"]
    return model, {"network": {**network, "b": 0 * network["b"]}}


@functools.cache
def conditionals(name):
    """p of every field of every partial row, -1 for what is unknown: (state -> (L, K))."""
    model, params = masked(name)
    every = enumeration.sequences(K + 1, LENGTH)
    p = enumeration.guesses(model, params, every, 0.5)
    return {tuple(row): law for row, law in zip(every.tolist(), p, strict=True)}


def in_order(name, order):
    """p(x) of every row, by the chain rule in one order."""
    result = np.ones(len(EVERY))
    for n, row in enumerate(EVERY):
        state = np.full(LENGTH, K)
        for i in order:
            result[n] *= conditionals(name)[tuple(state)][i, row[i]]
            state[i] = row[i]
    return result


@functools.cache
def in_any_order(name):
    """p(x) of every row, the mean over the orders: what is drawn one after the other."""
    return np.mean([in_order(name, o) for o in itertools.permutations(range(LENGTH))], axis=0)


@pytest.mark.few(slow=1)
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_code_lengths_of_masks_sum_to_one_over_rows(name):
    model, params = masked(name)
    possible = is_row(zoo.COLUMNS[name], EVERY)
    for option in (CodeLength(order="left"), CodeLength(order="probability")):
        one = compiled(
            jax.vmap(lambda x, o=option: o(model, params, jax.random.key(0), x[None])[0])
        )
        p = np.exp(np.asarray(one(jnp.asarray(EVERY)), np.float64))
        assert p.sum() == pytest.approx(1, abs=1e-5)
        assert (p[~possible] == 0).all()
        assert (p[possible] > 0).all()
        if option.order == "left":
            np.testing.assert_allclose(p, in_order(name, range(LENGTH)), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_random_orders_of_masks_sum_to_one(name):
    """Each row in an order of its own."""
    model, params = masked(name)
    code = compiled(functools.partial(CodeLength(), model))
    nats = code(params, jax.random.key(1), jnp.tile(EVERY, (1500, 1)))
    p = np.exp(np.asarray(nats, np.float64)).reshape(1500, -1)
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    assert_mean(p, in_any_order(name), 0.02)
    assert (p[:, ~is_row(zoo.COLUMNS[name], EVERY)] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_steps_of_masks_sum_to_one(name):
    """Over all tokens of the fields; digits that are revealed at once may make no code."""
    columns, (model, params) = zoo.COLUMNS[name], masked(name)
    nats = compiled(model.log_weight)(params, jax.random.key(1), jnp.tile(EVERY, (1500, 1)))
    p = np.exp(np.asarray(nats, np.float64)).reshape(1500, -1)
    inside = (EVERY < np.array(columns.sizes)).all(axis=1)
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    assert (p[:, ~inside] == 0).all()
    lost = p[:, ~is_row(columns, EVERY)].sum(axis=1).mean()
    assert (lost == 0) == (name == "columns")


@pytest.mark.parametrize("name", NAMES)
def test_the_bound_of_masks_is_below(name):
    model, params = masked(name)
    x = EVERY[is_row(zoo.COLUMNS[name], EVERY)]
    endless = dataclasses.replace(model, steps=None)
    nats = compiled(endless.elbo)(params, jax.random.key(2), jnp.tile(x, (2000, 1)))
    nats = np.asarray(nats, np.float64).reshape(2000, -1)
    rows = enumeration.number(x, K)
    orders = [in_order(name, o)[rows] for o in itertools.permutations(range(LENGTH))]
    exact = np.log(orders).mean(axis=0)
    p = in_any_order(name)[rows]
    assert (exact <= np.log(p) + 1e-9).all()
    assert_mean(nats @ p, exact @ p, 0.1)


ONE_BY_ONE = samplers.FirstHitting(), samplers.Confidence(by="random"), samplers.DNDM()


@pytest.mark.parametrize("sampler", quick(ONE_BY_ONE, ONE_BY_ONE[0]), ids=lambda s: s.name)
@pytest.mark.parametrize("name", NAMES)
def test_what_masks_draw_one_by_one_is_possible_and_follows_the_law(name, sampler):
    model, params = masked(name)
    x = drawn(model, params, sampler=sampler)
    assert is_row(zoo.COLUMNS[name], x).all()
    enumeration.assert_drawn_from(enumeration.number(x, K), in_any_order(name))


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


@functools.cache
def multinomial(name, steps=3):
    kernel = kernels.uniform_within(schedules.cosine, zoo.COLUMNS[name].each(K))
    model = models.Diffusion(kernel, zoo.Table(K), steps, support=zoo.COLUMNS[name])
    params = zoo.parameters(model, length=LENGTH)
    return model, jax.tree.map(lambda a: 0.4 * a, params)  # so that weights are light


@pytest.mark.few(slow=1)
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_noise_within_columns_sums_to_one(name):
    """Over all tokens of the fields; digits apart may make codes that no value has."""
    columns, (model, params) = zoo.COLUMNS[name], multinomial(name)
    inside = (EVERY < np.array(columns.sizes)).all(axis=1)
    law = enumeration.law(model, params, LENGTH)
    assert law.sum() == pytest.approx(1, abs=1e-5)
    assert (law[~inside] == 0).all()
    x = jnp.tile(EVERY, (1500, 1))
    nats = compiled(model.log_weight)(params, jax.random.key(1), x)
    p = np.exp(np.asarray(nats, np.float64)).reshape(1500, -1)
    assert (p[:, ~inside] == 0).all()
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    assert_mean(p, law, 0.02)

    possible = is_row(columns, EVERY)
    lost = law[~possible].sum()
    assert (lost == 0) == (name == "columns")
    assert_mean(p[:, possible].sum(axis=1), 1.0 - lost, 0.02)
    x = drawn(model, params, 20_000)
    assert (x < np.array(columns.sizes)).all()
    enumeration.assert_drawn_from(enumeration.number(x, K), law)


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
    model, params = multinomial("digits", 1000)
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


@functools.cache
def autoregressive(name):
    model = models.Autoregressive(zoo.CausalTable(K), support=zoo.COLUMNS[name])
    return model, zoo.parameters(model, length=LENGTH)


@pytest.mark.parametrize("name", NAMES)
def test_left_to_right_sums_to_one_over_rows(name):
    columns, (model, params) = zoo.COLUMNS[name], autoregressive(name)
    nats = compiled(model.log_weight)(params, jax.random.key(0), jnp.asarray(EVERY))
    p, possible = np.exp(np.asarray(nats, np.float64)), is_row(columns, EVERY)
    assert p.sum() == pytest.approx(1, abs=1e-6)
    assert (p[~possible] == 0).all()
    enumeration.assert_drawn_from(enumeration.number(drawn(model, params), K), p)
    colder = drawn(model, params, sampler=LeftToRight(temperature=0.5, top_p=0.8))
    assert is_row(columns, colder).all()


@functools.cache
def flow(name):
    columns = zoo.COLUMNS[name]
    encoder = laws.Conditional(laws.LOGISTIC, zoo.Context(LENGTH * K * 2), (K,))
    model = models.Flow((argmax.Argmax(encoder, columns),), laws.Learned(laws.LOGISTIC))
    return model, zoo.parameters(model, length=LENGTH, scale=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_argmax_over_possible_classes_sums_to_one_over_rows(name):
    columns, (model, params) = zoo.COLUMNS[name], flow(name)
    possible, keys = is_row(columns, EVERY), jax.random.split(jax.random.key(1), 6000)

    @compiled
    def draws(params, keys):
        x = jnp.asarray(EVERY)
        return jax.lax.map(lambda rng: model.log_weight(params, rng, x), keys, batch_size=500)

    nats = np.asarray(draws(params, keys), np.float64)
    p = np.exp(nats)
    assert (p[:, ~possible] == 0).all()
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    x = drawn(model, params, 20_000)
    assert is_row(columns, x).all()
    law, error = p.mean(axis=0), p.std(axis=0) / 6000**0.5
    share = np.bincount(enumeration.number(x, K), minlength=len(EVERY)) / len(x)
    assert (abs(share - law) <= 5 * np.hypot(error, (share / len(x)) ** 0.5)).all()
    assert (nats[:, possible].mean(axis=0) < np.log(share[possible])).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_argmax_over_possible_classes_comes_back(name):
    model, params = flow(name)
    x = jnp.tile(EVERY[is_row(zoo.COLUMNS[name], EVERY)], (50, 1))
    z, nats = compiled(model.forward)(params, jax.random.key(2), x)
    assert np.isfinite(nats).all()
    np.testing.assert_array_equal(compiled(model.inverse)(params, jax.random.key(3), z), x)


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
