"""Flows of parts that draw nothing: their elbo is log p(x), by enumeration and without noise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.models import bounds
from amd_jax.ops import integers
from amd_jax.transforms import laws
from tests import enumeration, zoo
from tests.variants import quick

K = 3
WIDE = 61  # levels enough for nearly all the mass of an integer flow


@pytest.fixture(scope="module", params=quick(zoo.EXACT, "modular-ar"))
def named(request):
    """A name, the model, its shaken parameters, every sequence, and its log-probability."""
    classes = WIDE if request.param == "integer" else K
    model = zoo.EXACT[request.param](classes)
    x = jnp.asarray(enumeration.sequences(classes, zoo.LENGTH))
    params = zoo.parameters(model, data=x)
    log_p = jax.jit(model.elbo)(params, jax.random.key(0), x)
    return request.param, model, params, x, log_p


@pytest.mark.few(1)
def test_it_sums_to_one_says_that_it_is_exact_and_samples_follow_it(named):
    _, model, params, x, log_p = named
    p = np.exp(np.asarray(log_p, np.float64))
    assert p.sum() == pytest.approx(1, abs=1e-5)
    (bound,) = bounds.of(model)
    assert bound.exact
    assert bound.describe(model).startswith("exact likelihood")
    again = jax.jit(functools.partial(bound, model))(params, jax.random.key(2), x)
    np.testing.assert_array_equal(again, log_p)  # no draw in it
    sample = jax.jit(model.sample, static_argnums=2)
    drawn = sample(params, jax.random.key(3), (4000, zoo.LENGTH))
    assert drawn.dtype == jnp.int32
    enumeration.assert_drawn_from(enumeration.number(drawn, int(x.max()) + 1), p)


@pytest.mark.few(1)
def test_inverse_undoes_forward(named):
    name, model, params, x, _ = named
    if name == "integer":  # what is factored out is drawn anew
        model = models.Flow(model.transforms[:-1], model.base)
    z, _ = jax.jit(model.forward)(params, jax.random.key(4), x)
    assert len(np.unique(z, axis=0)) == len(x)
    np.testing.assert_array_equal(jax.jit(model.inverse)(params, jax.random.key(5), z), x)


@pytest.mark.few(1)
@pytest.mark.slow
def test_one_hots_stay_exact_and_gradients_reach_every_parameter(named):
    name, model, params, x, _ = named
    weight = jnp.linspace(0.5, 1.5, len(x))  # all rows alike may hide a layer
    loss = lambda params: (weight * model.elbo(params, jax.random.key(0), x)).mean()  # noqa: E731
    grad = jax.jit(jax.grad(loss))(params)
    moved = jax.tree.map(lambda g: bool(jnp.isfinite(g).all() & (g != 0).any()), grad)
    dead = [jax.tree_util.keystr(p) for p, ok in jax.tree.leaves_with_path(moved) if not ok]
    assert dead == []
    if name.startswith("modular"):
        z, _ = jax.jit(model.forward)(params, jax.random.key(0), x)
        np.testing.assert_array_equal(np.unique(z), [0, 1])
        np.testing.assert_array_equal(z.sum(axis=-1), 1)


@pytest.mark.slow
def test_levels_of_few_bits_lose_what_is_outside():
    """Whole numbers that are no levels have mass: what is drawn there is `UNUSED`."""
    model = zoo.integer_flow(K)
    x = jnp.asarray(enumeration.sequences(K, zoo.LENGTH))
    params = zoo.parameters(model, data=x)
    inside = np.exp(jax.jit(model.elbo)(params, jax.random.key(0), x)).sum()
    sample = jax.jit(model.sample, static_argnums=2)
    drawn = np.asarray(sample(params, jax.random.key(1), (4000, zoo.LENGTH)))
    assert set(np.unique(drawn)) == {integers.UNUSED, 0, 1, 2}
    share = (drawn != integers.UNUSED).all(axis=1).mean()
    assert 0.05 < inside < 0.95
    assert abs(share - inside) < 5 * (inside * (1 - inside) / 4000) ** 0.5


class Unsaid:
    """A part that does not say whether it draws."""


@pytest.mark.usefixtures("any_types")
def test_a_flow_that_draws_or_may_draw_has_bounds():
    for lift in zoo.LIFTS:
        assert [b.name for b in bounds.of(zoo.flow(lift, 2, 2))] == ["elbo", "iwbo", "both"]
    parts = (*zoo.EXACT["modular-ar"](K).transforms, Unsaid())
    assert not bounds.of(models.Flow(parts, laws.Learned(laws.NORMAL)))[0].exact
