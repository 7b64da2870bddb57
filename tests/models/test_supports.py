"""Models of rows of a table, or of lines: all mass is on such rows, by enumeration of every one.

Of lines the padding is held, and lengths have their law; digits that are noise at once may make
no code.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import samplers
from amd_jax.models.autoregressive import LeftToRight
from amd_jax.models.code_lengths import CodeLength
from amd_jax.ops import scalars
from amd_jax.transforms import argmax, laws
from amd_jax.transforms.autoregressive import Autoregressive, UpToEnd
from tests import enumeration, zoo
from tests.models import rows
from tests.models.means import assert_mean
from tests.models.rows import compiled, drawn, every, in_any_order, masked, possible
from tests.variants import quick

NAMES = quick(rows.SUPPORTS, "digits")
BOTH = quick(rows.SUPPORTS, "digits", "labels")


def weights(nats, draws):
    """p of every row, (draws, N)."""
    return np.exp(np.asarray(nats, np.float64)).reshape(draws, -1)


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", BOTH)
def test_code_lengths_of_masks_sum_to_one(name):
    model, params = masked(name)
    for option in (CodeLength(order="left"), CodeLength(order="probability")):
        one = compiled(
            jax.vmap(lambda x, o=option: o(model, params, jax.random.key(0), x[None])[0])
        )
        p = weights(one(jnp.asarray(every(name))), 1)[0]
        assert p.sum() == pytest.approx(1, abs=1e-5)
        assert (p[~possible(name)] == 0).all()
        assert (p[possible(name)] > 0).all()
        if option.order == "left":
            exact = rows.in_order(name, tuple(range(rows.length(name))))
            np.testing.assert_allclose(p, exact, rtol=1e-3, atol=1e-9)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NAMES)
def test_random_orders_of_masks_sum_to_one(name):
    """Each row in an order of its own."""
    model, params = masked(name)
    code = compiled(functools.partial(CodeLength(), model))
    p = weights(code(params, jax.random.key(1), jnp.tile(every(name), (1500, 1))), 1500)
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    assert_mean(p, in_any_order(name), 0.02)
    assert (p[:, ~possible(name)] == 0).all()


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NAMES)
def test_steps_of_masks_sum_to_one(name):
    """Each line's mean is its mass in the chain of three steps, which ends in no other row."""
    model, params = masked(name)
    nats = compiled(model.log_weight)(params, jax.random.key(1), jnp.tile(every(name), (1500, 1)))
    p = weights(nats, 1500)
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    assert (p[:, ~rows.inside(name)] == 0).all()
    assert (p[:, ~possible(name)].sum() == 0) == (name != "digits")
    if name in zoo.LINES:
        states = enumeration.number(every(name), rows.classes(name) + 1)
        assert_mean(p, rows.law(model, params)[states], 0.02)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NAMES)
def test_the_bound_of_masks_is_below(name):
    """In continuous time it is the mean over orders, by any of its estimates."""
    model, params = masked(name)
    x, p = every(name)[possible(name)], in_any_order(name)[possible(name)]
    orders = [rows.in_order(name, order)[possible(name)] for order in rows.orders(name)]
    exact = np.mean(np.log(orders), axis=0)
    assert (exact <= np.log(p) + 1e-9).all()
    elbos = [dataclasses.replace(model, steps=None).elbo]
    if name in zoo.LINES:
        times = jnp.linspace(1.0, 0.0, 65)
        elbos.append(functools.partial(model.elbo_of_all_steps, times=times))
    for elbo in elbos:
        nats = compiled(elbo)(params, jax.random.key(2), jnp.tile(x, (5000, 1)))
        nats = np.asarray(nats, np.float64).reshape(5000, -1)
        assert_mean(nats @ p, exact @ p, 0.1)


ONE_BY_ONE = samplers.FirstHitting(), samplers.Confidence(by="random"), samplers.DNDM()


@pytest.mark.few(2)
@pytest.mark.parametrize("sampler", quick(ONE_BY_ONE, ONE_BY_ONE[0]), ids=lambda s: s.name)
@pytest.mark.parametrize("name", BOTH)
def test_what_masks_draw_one_by_one_is_possible_and_follows_the_law(name, sampler):
    x = drawn(*masked(name), sampler=sampler)
    rows.assert_possible(name, x)
    enumeration.assert_drawn_from(enumeration.number(x, rows.classes(name)), in_any_order(name))


@pytest.mark.parametrize("name", BOTH)
def test_left_to_right_sums_to_one(name):
    """The first padding ends a line: what follows has probability one, and lengths are learnt."""
    model, params = rows.autoregressive(name)
    p = weights(compiled(model.log_weight)(params, jax.random.key(0), every(name)), 1)[0]
    assert p.sum() == pytest.approx(1, abs=1e-6)
    assert (p[~possible(name)] == 0).all()
    assert (p[possible(name)] > 0).all()
    x = drawn(model, params)
    enumeration.assert_drawn_from(enumeration.number(x, rows.classes(name)), p)
    colder = drawn(model, params, sampler=LeftToRight(temperature=0.5, top_p=0.8))
    assert possible(name)[enumeration.number(colder, rows.classes(name))].all()


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", BOTH)
def test_noise_within_a_support_sums_to_one(name):
    """Padding is held clean without a network that is told."""
    model, params = rows.multinomial(name)
    assert not model.sees_known
    law = rows.law(model, params)
    assert law.sum() == pytest.approx(1, abs=1e-5)
    assert (law[~rows.inside(name)] == 0).all()
    lost = law[~possible(name)].sum()
    assert (lost == 0) == (name != "digits")
    nats = compiled(model.log_weight)(params, jax.random.key(1), jnp.tile(every(name), (1500, 1)))
    p = weights(nats, 1500)
    assert (p[:, ~rows.inside(name)] == 0).all()
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    assert_mean(p, law, 0.02)
    assert_mean(p[:, possible(name)].sum(axis=1), 1.0 - lost, 0.02)
    x = drawn(model, params, 20_000)
    if name in zoo.LINES:
        rows.assert_possible(name, x)
    enumeration.assert_drawn_from(enumeration.number(x, rows.classes(name)), law)


@functools.cache
def flow(name):
    """An argmax flow; of lines, of an autoregressive layer whose latents end with the line."""
    support, classes, length = rows.SUPPORTS[name], rows.classes(name), rows.length(name)
    lines = support if name in zoo.LINES else None
    context = zoo.Context(length * classes * 2)
    encoder = laws.Conditional(laws.LOGISTIC, context, (classes,), lines)
    end = laws.Learned(laws.LOGISTIC)
    if lines:
        network = networks.AutoregressiveLSTM(8, components=2)
        end = UpToEnd(Autoregressive(network, scalars.LogisticMixture(2)), laws.LOGISTIC, lines)
    model = models.Flow((argmax.Argmax(encoder, support),), end)
    return model, zoo.parameters(model, length=length, scale=0.05)


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in rows.SUPPORTS if n != "labels"])
def test_an_argmax_over_possible_rows_sums_to_one(name):
    model, params = flow(name)
    keys = jax.random.split(jax.random.key(1), 6000)

    @compiled
    def draws(params, keys):
        x = jnp.asarray(every(name))
        return jax.lax.map(lambda rng: model.log_weight(params, rng, x), keys, batch_size=200)

    nats = np.asarray(draws(params, keys), np.float64)
    p = np.exp(nats)
    assert (p[:, ~possible(name)] == 0).all()
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    sample = functools.partial(model.sample, shape=(20_000, rows.length(name)))
    x = np.asarray(compiled(sample)(params, jax.random.key(7)))
    number = enumeration.number(x, rows.classes(name))
    assert possible(name)[number].all()
    law, error = p.mean(axis=0), p.std(axis=0) / len(keys) ** 0.5
    share = np.bincount(number, minlength=len(every(name))) / len(x)
    assert (abs(share - law) <= 5 * np.hypot(error, (share / len(x)) ** 0.5)).all()
    often = share > 0.005
    assert (nats[:, often].mean(axis=0) < np.log(share[often])).all()


@pytest.mark.parametrize("name", quick(zoo.COLUMNS, "digits"))
def test_the_argmax_over_possible_classes_comes_back(name):
    model, params = flow(name)
    x = jnp.tile(every(name)[possible(name)], (50, 1))
    z, nats = compiled(model.forward)(params, jax.random.key(2), x)
    assert np.isfinite(nats).all()
    np.testing.assert_array_equal(compiled(model.inverse)(params, jax.random.key(3), z), x)
