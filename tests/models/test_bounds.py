"""Bounds that average draws: by steps and times, of importance weights, and from both sides."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.models.both_sides import BothSides
from amd_jax.models.bounds import DrawnTimes, ImportanceWeighted
from amd_jax.models.step_bounds import AllSteps, DrawnSteps
from amd_jax.ops.lines import Lines
from tests import enumeration, zoo
from tests.models.means import assert_same_mean, draws, standard_error
from tests.variants import quick

pytestmark = pytest.mark.usefixtures("any_types")  # models of a test have one method
REPEATS = 2000
X = enumeration.sequences(3, zoo.LENGTH)


class Weights:
    """A model with weights of a law: (params, rng, number of rows) -> their logarithms."""

    def __init__(self, law):
        self.law = law

    def log_weight(self, params, rng, x):
        return self.law(params, rng, len(x))


@Weights
def lognormal(spread, rng, number):
    """Of mean 1, and a logarithm of variance spread ** 2."""
    return spread * jax.random.normal(rng, (number,)) - spread**2 / 2


def drawn(number, model, params, x=X, repeats=REPEATS):
    """Of every row nats below and above, effective draws, squared error: (4, repeats, N)."""
    one = jax.jit(lambda rng, x: BothSides(number).weighted(model, params, rng, x))
    result = one(jax.random.key(5), jnp.tile(x, (repeats, 1)))
    return np.asarray(result, np.float64).T.reshape(4, repeats, len(x))


def rows(number):
    """Rows that no model of this test looks at."""
    return np.zeros((number, 1), int)


def in_both_orders(model, params):
    """Log p of every two tokens, revealed in a random order."""
    predict = jax.jit(model.open(params).predict)
    total = np.zeros(len(X))
    for first in (0, 1):
        one = np.arange(2) == first
        none = np.asarray(predict(jnp.full(X.shape, 3), jnp.ones(len(X))))
        other = np.asarray(predict(jnp.where(one, X, 3), jnp.full(len(X), 0.5)))
        rows = np.arange(len(X))
        total += none[rows, first, X[:, first]] * other[rows, 1 - first, X[:, 1 - first]] / 2
    return np.log(total)


MASKS = kernels.absorbing(schedules.linear, 3)
MODELS = {
    "masks-T3": models.Diffusion(MASKS, zoo.Table(4), steps=3),
    "masks": models.Diffusion(MASKS, zoo.Table(4), steps=None),
    "uniform-T3": zoo.diffusion("uniform-cosine", "table", 3),
}


@pytest.mark.parametrize("name", quick(MODELS, "masks"))
def test_the_truth_is_between_the_two_and_more_draws_bring_them_together(name):
    model, widths = MODELS[name], []
    params = zoo.parameters(model, scale=0.5)
    if model.steps is None:
        truth = in_both_orders(model, params)
    else:
        law = enumeration.law(model, params, zoo.LENGTH)
        truth = np.log(law[enumeration.number(X, len(model.kernel.prior))])
    for number in (2, 16):
        below, above, *_ = drawn(number, model, params)
        for each, sign in ((above, 1), (below, -1)):
            gap = sign * (each.mean(axis=0) - truth)
            assert (gap > -4 * standard_error(each) - 1e-5).all(), (number, gap)
        widths.append((above.mean(axis=0) - below.mean(axis=0)).mean())
    assert widths[0] > 4 * widths[1] > 0


@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_it_is_what_two_halves_of_the_draws_say(spread):
    """E[log a] of one draw each is -σ²/2, and E[cosh(a - b)] is exp(σ²)."""
    result = drawn(2, lognormal, spread, rows(2000), repeats=100)[1].ravel()
    expected = -(spread**2) / 2 + np.exp(spread**2) - 1
    assert abs(result.mean() - expected) < 5 * standard_error(result) < 0.2 * expected


@pytest.mark.parametrize(("spread", "share"), [(0.0, 1.0), (1.0, np.exp(-1.0))])
def test_how_many_draws_are_effective(spread, share):
    effective = drawn(4096, lognormal, spread, rows(8), repeats=1)[2] / 4096
    assert effective.mean() == pytest.approx(share, rel=0.1)


@pytest.mark.parametrize("effective", [8, 16, 50])
def test_two_errors_beyond_both_ends_cover_the_truth(effective):
    """Of eight rows whose truth is 0, in 200 repeats; between the ends it seldom is."""
    spread = np.sqrt(np.log(64 / effective))
    below, above, seen, variance = drawn(64, lognormal, spread, rows(8), repeats=200)
    beyond = 2 * variance.sum(axis=1) ** 0.5 / 8
    low, high = below.mean(axis=1), above.mean(axis=1)
    assert 8 < seen.mean() < 55
    assert ((low - beyond <= 0) & (high + beyond >= 0)).mean() >= 0.93
    assert ((low <= 0) & (high >= 0)).mean() < 0.5


def test_no_draw_is_lost_of_an_odd_number():
    model = Weights(lambda params, rng, number: jnp.log(jax.random.uniform(rng, (number,))))
    rng = jax.random.key(0)
    weights = [model.log_weight({}, jax.random.fold_in(rng, i), jnp.zeros(1))[0] for i in range(5)]
    below = BothSides(5).weighted(model, {}, rng, jnp.zeros((1, 1), jnp.int32))[0, 0]
    assert below == pytest.approx(np.log(np.exp(weights).mean()), rel=1e-5)


def test_a_half_without_weight_says_nothing():
    never = Weights(lambda params, rng, number: jnp.full(number, -jnp.inf))
    below, above, *_ = drawn(4, never, {}, rows(3), repeats=1)
    assert np.isneginf(below).all()
    assert np.isposinf(above).all()


def test_a_model_without_weights_is_refused():
    with pytest.raises(ValueError, match="continuous time has none"):
        BothSides().describe(zoo.diffusion("uniform-cosine", "table", None))
    with pytest.raises(ValueError, match="weighted_draws"):
        BothSides(1)


@Weights
def coin(weight, rng, number):
    """0 or the parameter, by a fair coin for each row."""
    return jnp.where(jax.random.bernoulli(rng, shape=(number,)), jnp.log(weight), -jnp.inf)


def test_weights_are_independent_and_averaged_as_probabilities():
    def weights(k):
        result = ImportanceWeighted(k)(coin, 2.0, jax.random.key(0), jnp.zeros((500, 3)))
        return np.exp(np.asarray(result, np.float64))

    two = weights(2).round(5)
    np.testing.assert_allclose([(two == p).mean() for p in (0, 1, 2)], [0.25, 0.5, 0.25], atol=0.1)
    np.testing.assert_allclose(weights(400), 1, atol=6 * 400**-0.5)


class Noisy:
    """An elbo of -100 times the first token, and a uniform number."""

    steps = 5

    def elbo(self, params, rng, x):
        return -100.0 * x[:, 0] - jax.random.uniform(rng, x.shape[:1])


def test_the_draws_of_a_row_are_averaged_and_rows_do_not_mix():
    rows = jnp.arange(50)[:, None].repeat(3, axis=1)
    nats = np.asarray(DrawnSteps(draws=400)(Noisy(), None, jax.random.key(0), rows))
    noise = -100.0 * np.arange(50) - nats
    np.testing.assert_allclose(noise, 0.5, atol=6 * (1 / 12 / 400) ** 0.5)
    assert len(np.unique(noise)) > 40


@pytest.mark.parametrize("kind", ["tokens", "lines"])
def test_by_numbers_of_masks_the_bound_has_its_mean_and_less_noise(kind):
    """Of a network that looks at the time; of lines the padding is known."""
    schedule, support, x = schedules.cosine, None, np.array([[0, 1, 2], [2, 2, 0]])
    if kind == "lines":
        schedule, support = schedules.linear, Lines(2, (0.5, 0.2, 0.3))
        x = np.array([[0, 1, 2], [1, 2, 2]])  # 2 is padding
    model = models.Diffusion(kernels.absorbing(schedule, 3), zoo.Table(4), None, support=support)
    params = zoo.parameters(model, length=3)
    steps, times = (functools.partial(f(draws=2), model) for f in (DrawnSteps, DrawnTimes))
    for scale in (0.2, 1.0):
        scaled = jax.tree.map(lambda a, scale=scale: scale * a, params)
        drawn, of_times = draws(steps, scaled, x, 4000), draws(times, scaled, x, 4000, seed=2)
        assert_same_mean(drawn, of_times, 0.1)
        if scale < 1:  # of a network that knows little from others
            assert (drawn.std(axis=0) < 0.5 * of_times.std(axis=0)).all()


@pytest.mark.parametrize("bound", [DrawnSteps(), AllSteps()])
def test_models_without_steps_are_refused(bound):
    with pytest.raises(ValueError, match=r"is for a diffusion; Flow is none\. Use Elbo\(\)\."):
        bound.describe(zoo.integer_flow(3))
