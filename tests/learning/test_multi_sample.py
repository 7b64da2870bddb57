"""Masks with random symbols by enumeration: the law of their steps, bounds, and the floor."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import special

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.diffusion.exact import few_steps
from amd_jax.learning.multi_sample import MultiSampleElbo
from amd_jax.models.step_bounds import MultiSample
from tests import enumeration, zoo
from tests.models.means import assert_mean

K = 2
EQUAL = np.eye(2) / 2  # two bits that are the same
ORDERS = np.zeros((3, 3, 3))  # three tokens in any order
for order in itertools.permutations(range(3)):
    ORDERS[order] = 1 / 6


def model_of(classes, symbols, steps):
    kernel = kernels.RandomMasks(kernels.absorbing(schedules.linear, classes), symbols)
    return models.Diffusion(kernel, zoo.Table(classes + symbols), steps)


@functools.cache
def prepared(steps, symbols=2):
    model = model_of(K, symbols, steps)
    return model, zoo.parameters(model, scale=1.0)


def moves(model, params, s, t, length):
    """The law of a step for each choice z of symbols, written anew: [y_t, z, y_s].

    States y have one mask, K; a mask is revealed with probability (t - s) / t.
    """
    classes, symbols = model.kernel.num_classes, model.kernel.symbols
    every = enumeration.sequences(classes + 1, length)
    z = enumeration.sequences(symbols, length)
    masked = every[:, None] == classes
    x_t = np.where(masked, classes + z, every[:, None])
    guess = enumeration.guesses(model, params, x_t.reshape(-1, length), t)
    guess = guess.reshape(*x_t.shape, -1)[..., :classes]
    shown = (t - s) / t
    hidden = np.concatenate([shown * guess, np.full_like(guess[..., :1], 1 - shown)], axis=-1)
    law = np.where(masked[..., None], hidden, np.eye(classes + 1)[every][:, None])
    return np.prod(law[:, :, np.arange(length), every], axis=-1)


def pairs(model):
    times = np.arange(model.steps, -1, -1) / model.steps
    return list(itertools.pairwise(times))


def mixture(model, params, length=2):
    """p(x) of the model of mean steps over z."""
    law = np.zeros((model.kernel.num_classes + 1) ** length)
    law[-1] = 1
    for t, s in pairs(model):
        law = law @ moves(model, params, s, t, length).mean(axis=1)
    x = enumeration.sequences(model.kernel.num_classes, length)
    return law[enumeration.number(x, model.kernel.num_classes + 1)]


def bound(model, params, draws, length=2):
    """The multi-sample bound on -log p(x) of every x, by all of its draws; None for endless."""
    classes = model.kernel.num_classes
    every = enumeration.sequences(classes + 1, length)
    x = enumeration.sequences(classes, length)
    total = np.zeros(len(x))
    for t, s in pairs(model):
        hidden = every == classes
        fits = (hidden | (every == x[:, None])).all(axis=-1)
        q_t = np.where(fits, np.prod(np.where(hidden, t, 1 - t), axis=-1), 0)  # [x, y_t]
        shown, kept = hidden[:, None] & ~hidden, hidden[:, None] & hidden  # [y_t, y_s]
        stays = (hidden[:, None] | (every[:, None] == every)).all(axis=-1)
        chance = np.where(shown, (t - s) / t, np.where(kept, s / t, 1.0)).prod(axis=-1) * stays
        step = moves(model, params, s, t, length)
        for row in range(len(x)):
            q_s = chance * fits[row]
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = step / q_s[:, None]
                if draws is None:
                    nats = -np.log(ratio.mean(axis=1))
                else:
                    tuples = itertools.product(range(step.shape[1]), repeat=draws)
                    nats = [-np.log(ratio[:, list(z)].mean(axis=1)) for z in tuples]
                    nats = np.mean(nats, axis=0)
            total[row] += (q_t[row][:, None] * q_s * np.where(q_s > 0, nats, 0)).sum()
    return total


@pytest.mark.few(1)
@pytest.mark.parametrize("steps", [2, 1])
def test_a_step_draws_from_the_mixture(steps):
    model, params = prepared(steps)
    law = enumeration.law(model, params, 2)
    x = enumeration.sequences(K, 2)
    expected = mixture(model, params)
    np.testing.assert_allclose(law[enumeration.number(x, K + 2)], expected, atol=1e-6)
    drawn = jax.jit(model.sample, static_argnums=2)(params, jax.random.key(0), (20_000, 2))
    enumeration.assert_drawn_from(enumeration.number(drawn, K), expected)


def test_the_bound_nears_the_law_from_above_with_more_draws():
    for steps in (1, 2):
        model, params = prepared(steps)
        exact = -np.log(mixture(model, params))
        bounds = [bound(model, params, draws) for draws in (1, 2, 3, 4, None)]
        usual = -enumeration.bound(model, params, enumeration.sequences(K, 2))
        np.testing.assert_allclose(bounds[0], usual, atol=2e-5)
        assert (np.diff(bounds, axis=0) < -0.003).all()
        if steps == 1:
            np.testing.assert_allclose(bounds[-1], exact, atol=1e-6)
        assert (bounds[-1] > exact - 1e-6).all()


@pytest.mark.few(1)
@pytest.mark.parametrize("draws", [3, 1])
@pytest.mark.parametrize("steps", [2, 1])
def test_draws_of_the_bound_and_of_the_loss_have_its_mean(steps, draws):
    model, params = prepared(steps)
    x = enumeration.sequences(K, 2)
    expected, number = bound(model, params, draws), 4000
    rows = jnp.tile(x, (number, 1))

    @jax.jit
    def nats(params):
        reported = MultiSample(symbol_draws=draws)(model, params, jax.random.key(0), rows)
        loss = MultiSampleElbo(model, draws).loss(params, (), jax.random.key(1), rows)[0]
        return reported, -loss

    for drawn in nats(params):
        assert_mean(-np.asarray(drawn, np.float64).reshape(number, len(x)), expected, 0.06)


@pytest.mark.parametrize("steps", [1, 2])
def test_one_symbol_is_one_mask(steps):
    model, params = prepared(steps, symbols=1)
    one = models.Diffusion(model.kernel.base, model.denoiser, steps)
    assert kernels.random_masks(one.kernel, 1) is one.kernel
    laws = [enumeration.law(m, params, 2) for m in (model, one)]
    np.testing.assert_allclose(*laws, atol=1e-7)
    np.testing.assert_allclose(bound(model, params, 2), bound(model, params, 1))


def trained(data, symbols, steps, updates=150):
    """What a model loses, in nats, after a training on the law of the data.

    KL(data || samples), and what its bound by all choices of symbols is above the entropy.
    """
    model = model_of(data.shape[0], symbols, steps)
    x = enumeration.sequences(data.shape[0], data.ndim)[data.ravel() > 0]
    weight = jnp.asarray(data[data > 0], jnp.float32)
    rows, objective = jnp.tile(jnp.asarray(x), (16, 1)), MultiSampleElbo(model, 8)
    optimizer = optax.adam(optax.cosine_decay_schedule(0.2, updates))

    def loss(params, rng):
        nats = objective.loss(params, (), rng, rows)[0]
        return (weight * nats.reshape(16, -1)).sum(axis=1).mean()

    def step(carry, rng):
        params, state = carry
        change, state = optimizer.update(jax.grad(loss)(params, rng), state)
        return (optax.apply_updates(params, change), state), None

    @functools.partial(jax.jit, compiler_options=zoo.HASTE)
    def run(rng):
        rng_init, rng = jax.random.split(rng)
        params = model.init(rng_init, rows)
        start = params, optimizer.init(params)
        return jax.lax.scan(step, start, jax.random.split(rng, updates))[0][0]

    params, drawn = run(jax.random.key(0)), data.ravel() > 0
    p = mixture(model, params, data.ndim)[drawn]
    nats = bound(model, params, None, data.ndim)[drawn] @ data[data > 0]
    return special.rel_entr(data[data > 0], p).sum(), nats - special.entr(data).sum()


@pytest.mark.few(1)
@pytest.mark.parametrize(("data", "steps"), [(EQUAL, 1), (ORDERS, 1), (ORDERS, 2)])
def test_symbols_learn_to_lose_less_than_any_product(data, steps):
    least = few_steps.least_losses(data)[steps - 1]
    assert least > 0.4
    divergence, above = trained(data, 2, steps)
    assert divergence < 0.7 * least
    assert above < 0.9 * least
    divergence, above = trained(data, 1, steps)
    assert above > least - 1e-5
    if steps == 1:
        assert divergence == pytest.approx(above, abs=1e-5)


@pytest.mark.usefixtures("any_types")
def test_bad_input_is_refused():
    masks = kernels.absorbing(schedules.linear, K)
    model = model_of(K, 2, 2)
    with pytest.raises(ValueError, match="draws must be at least 1; got draws=0"):
        MultiSampleElbo(model, 0)
    with pytest.raises(ValueError, match="the kernel is Mixing. Use kernels.random_masks"):
        MultiSampleElbo(models.Diffusion(masks, zoo.Table(3), 2))
    with pytest.raises(ValueError, match="at least 1 symbol; got 0"):
        kernels.random_masks(masks, 0)
    for kernel in (kernels.uniform(schedules.linear, K), zoo.LEARNED["per_class_masking"]):
        with pytest.raises(ValueError, match="one state after the classes, its mask; got a"):
            kernels.RandomMasks(kernel, 2)
    with pytest.raises(ValueError, match="needs a kernel with a derivative; RandomMasks has none"):
        models.Diffusion(model.kernel, zoo.Table(4), None)


def test_what_is_for_one_mask_alone_is_refused():
    model, params = prepared(2)
    names = {sampler.name for sampler in model.samplers}
    assert names == {"ancestral", "predictor_corrector"}
    for sampler in zoo.SAMPLERS.values():
        if sampler.name not in names:
            with pytest.raises(ValueError, match=f"{sampler.name} is not for RandomMasks"):
                model.sample(params, jax.random.key(0), (2, 2), sampler=sampler)
    assert [b.name for b in model.bounds] == ["multi_sample", "elbo", "all_steps", "iwbo", "both"]
    one = models.Diffusion(model.kernel.base, zoo.Table(3), 2)
    assert one.bounds[0].name == "elbo"
