"""The pace of the noise of a Gaussian diffusion is learnt for the least variance of its bound."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax.diffusion import gaussian
from amd_jax.diffusion.gaussian import noise_schedules
from amd_jax.learning import learned_objectives, objectives
from tests import zoo
from tests.models.test_gaussian import P, single


@pytest.mark.slow
def test_the_slope_at_a_level_has_its_gradient():
    """By differences: t is found anew for every change of the parameters."""
    with jax.enable_x64(True):
        chosen, t = noise_schedules.Learned(units=4), jnp.array([0.3])
        moved = jax.tree.map(jnp.add, chosen.init(jax.random.key(0)), zoo.drawn(chosen, scale=0.3))
        params = jax.tree.map(lambda a: a.astype(jnp.float64), moved)
        level = chosen.open(params)(t)

        def at_level(params):
            low, high = jnp.zeros(1), jnp.ones(1)
            for _ in range(50):
                middle = (low + high) / 2
                early = chosen.open(params)(middle) < level
                low, high = jnp.where(early, middle, low), jnp.where(early, high, middle)
            slope = jax.jvp(chosen.open(params), (low,), (jnp.ones(1),))[1]
            return jnp.log(slope)[0]

        def slope(params):
            return learned_objectives.log_slope(chosen.open(params), t)[0]

        np.testing.assert_allclose(slope(params), at_level(params), rtol=1e-12)
        flat, restore = jax.flatten_util.ravel_pytree(params)
        result = jax.jit(jax.grad(lambda f: slope(restore(f))))(flat)
        change = jax.jit(lambda f: at_level(restore(f)))
        h = 1e-5 * np.eye(len(flat))
        differences = [(change(flat + d) - change(flat - d)) / 2e-5 for d in h]
        np.testing.assert_allclose(result, differences, rtol=1e-4, atol=1e-7)


def learning(ends=(-5.0, 7.0)):
    """One variable, whose network needs no learning, with levels that are learnt."""
    model = single(gaussian.one_hots(5), ends, None)
    model = dataclasses.replace(model, levels=noise_schedules.Learned(*ends, ends=False))
    return model, {"levels": model.levels.init(jax.random.key(0))}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_pace_comes_near_the_best():
    """Of mean squares: the least is (∫ sqrt E[f²] dγ)², f the bound's integrand over γ."""
    model, params = learning((-2.0, 8.0))
    objective = learned_objectives.LeastVarianceOfLevels(model)
    x = jnp.asarray(np.random.default_rng(0).choice(5, size=(2048, 1), p=P))
    optimizer = optax.adam(0.02)

    def step(i, carry):
        params, memory, state = carry
        rng = jax.random.fold_in(jax.random.key(1), i)

        def loss(params):
            nats, evidence = objective.loss(params, memory, rng, x)
            return nats.mean(), evidence

        grads, evidence = jax.grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), objective.update(memory, evidence), state

    def square(params):
        t = (jnp.arange(400_000) + 0.5) / 400_000
        rows = jnp.resize(x, (len(t), 1))
        nats = gaussian.bounds.rate(model.open(params), jax.random.key(2), rows, t)
        return (nats**2).mean(), (nats**2).reshape(100, -1).mean(axis=1)

    begun = (params, objective.init(), optimizer.init(params))
    result, memory, _ = jax.jit(lambda c: jax.lax.fori_loop(0, 600, step, c))(begun)
    before, by_level = jax.jit(square)(params)
    after, _ = jax.jit(square)(result)
    best = jnp.sqrt(by_level).mean() ** 2  # the pace was even, so shares of time are of γ
    assert before > 1.5 * best
    assert after < 1.1 * best
    np.testing.assert_allclose(memory["square"] / memory["weight"], after, rtol=0.1)


@pytest.mark.slow
def test_its_loss_is_the_bound():
    model, params = learning((-2.0, 3.0))
    x = jnp.tile(jnp.arange(5), 20_000)[:, None]
    kinds = learned_objectives.LeastVarianceOfLevels(model), objectives.NegativeElbo(model)
    one, other = (
        jax.jit(kind.loss)(params, kind.init(), jax.random.key(3), x)[0] for kind in kinds
    )
    errors = np.std([one, other], axis=1) / len(x) ** 0.5
    assert errors[0] < 0.02
    assert abs(one.mean() - other.mean()) < 4 * np.hypot(*errors)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (zoo.gaussian_diffusion("classes", None), "the parameters of levels; Linear has none"),
        (
            dataclasses.replace(zoo.gaussian_diffusion("range", 3), variance="small"),
            "got steps=3. Use NegativeElbo",
        ),
    ],
)
def test_what_it_cannot_train_is_refused(model, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        learned_objectives.LeastVarianceOfLevels(model)
