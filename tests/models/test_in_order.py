"""Masks from left to right by one call of a network whose two sides are apart."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, schedules
from amd_jax.learning import objectives
from amd_jax.models.code_lengths import CodeLength
from amd_jax.ops.lines import Lines
from tests import enumeration, zoo
from tests.variants import quick

SUPPORTS = {
    "texts": (None, 3, 3),
    "lines": (Lines(2, (0.5, 0.2, 0.3)), 3, 3),
    "labelled lines": (Lines(2, (0.3, 0.7), 2), 5, 3),
}
SIZES = dict(width=8, join_width=8, blocks=1, taps=2, heads=2, join_blocks=1)


@functools.cache
def opened(name):
    """A model, its parameters moved from where they start, and every row."""
    support, classes, length = SUPPORTS[name]
    network = networks.Hollow(classes + 1, sees_time=False, **SIZES)
    kernel = kernels.absorbing(schedules.linear, classes)
    model = models.Diffusion(kernel, network, None, support=support)
    x = enumeration.sequences(classes, length)
    return model, zoo.drawn(model, x), x


@functools.cache
def left(name, **more):
    """The code length of every row from left to right, and of what stands first alone."""
    model, params, x = opened(name)

    @jax.jit
    def computed(params):
        code = CodeLength("left").one(model, params, jax.random.key(0), x, **more)
        return code, model.open(params).log_first(x)

    return [np.asarray(nats, np.float64) for nats in computed(params)]


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", quick(SUPPORTS, "labelled lines"))
def test_one_call_is_as_many_as_there_are_tokens(name):
    model, params, x = opened(name)
    assert model.two_sided
    wanted = np.ones(x.shape, bool)  # one after the other
    many, once = left.__wrapped__(name, wanted=wanted)[0], left(name)[0]
    sure = many > -50  # else no row of the support
    np.testing.assert_allclose(once[sure], many[sure], atol=1e-4)
    assert (once[~sure] < -50).all()
    assert np.exp(once).sum() == pytest.approx(1, abs=1e-4)


def test_a_token_is_predicted_from_those_before_it():
    model, params, x = opened("texts")
    log_p = np.asarray(jax.jit(model.open(params).log_predict_next)(x))
    seen = x[:, 0], 3 * x[:, 0] + x[:, 1]
    for n, before in ((0, 0 * x[:, 0]), (1, seen[0]), (2, seen[1])):
        _, index = np.unique(before, return_index=True)
        np.testing.assert_allclose(log_p[:, n], log_p[index, n][before], atol=1e-6)
        assert n == 0 or np.ptp(log_p[index, n], axis=0).max() > 0.1


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(SUPPORTS, "labelled lines"))
def test_the_loss_in_order_is_the_code_length(name):
    model, params, x = opened(name)
    objective = objectives.CrossEntropy(model, in_order=1.0)
    nats, _ = jax.jit(objective.loss)(params, (), jax.random.key(0), x)
    code, first = left(name)
    exact = code - first
    real = np.isfinite(exact) & (first > -50)  # rows of the support
    np.testing.assert_allclose(-np.asarray(nats)[real], exact[real], atol=1e-4)


def test_a_hidden_label_is_a_mask_for_the_tokens_after_it():
    model, params, x = opened("labelled lines")
    code, first = left("labelled lines")
    lines = np.isfinite(code) & (first > -50) & (x[:, 0] > 2)  # with a label in front
    x = x[lines]

    def computed(params):
        for share in (0.0, 1.0):
            hidden = objectives.first_hidden(share)
            objective = objectives.CrossEntropy(model, in_order=1.0, hidden=hidden)
            yield objective.loss(params, (), jax.random.key(0), x)[0]
        process = model.open(params)
        masked = jnp.where(jnp.arange(3) == 0, model.kernel.num_classes, x)
        yield process.log_predict(masked, jnp.zeros(len(x)), after=process.masked(x))

    shown, free, log_p = map(np.asarray, jax.jit(lambda params: list(computed(params)))(params))
    expected = -np.take_along_axis(log_p, x[..., None], axis=2).sum(axis=(1, 2))
    np.testing.assert_allclose(free, expected, atol=1e-4)
    assert np.ptp(free - shown) > 0.01, "the label changes nothing"
    np.testing.assert_allclose(shown, (first - code)[lines], 1e-4)


@pytest.mark.slow
def test_a_share_of_the_rows_is_in_order():
    model, params, x = opened("texts")
    rng = jax.random.key(3)
    ordered, some, other = (
        jax.jit(objectives.CrossEntropy(model, in_order=share).loss)(params, (), rng, x)[0]
        for share in (1.0, 1 / 3, 0.0)
    )
    ordered, other = (np.isclose(some, nats, atol=1e-5) for nats in (ordered, other))
    assert (ordered | other).all()
    assert 8 <= (ordered & ~other).sum() <= 10  # of 27
    assert (other & ~ordered).sum() >= 16


@pytest.mark.parametrize("share", [0.25, 0.2])
def test_hidden_labels_and_rows_in_order_are_spread_over_the_batch(share):
    @jax.vmap
    def drawn(rng):
        return objectives.first_hidden(share)(rng, (40, 3)), objectives.spread(rng, 40, share)

    hidden, ordered = map(np.asarray, jax.jit(drawn)(jax.random.split(jax.random.key(0), 400)))
    assert not hidden[..., 1:].any()
    for rows in (hidden[..., 0], ordered):
        assert set(rows.sum(axis=1)) <= {40 * share + d for d in range(-2, 3)}
        assert set(rows.reshape(400, 4, 10).sum(axis=2).ravel()) <= {1, 2, 3, 4}
        assert (abs(rows.mean(axis=0) - share) < 5 * (share * (1 - share) / 400) ** 0.5).all()


def test_what_is_not_for_it():
    model, params, x = opened("texts")
    table = zoo.diffusion("absorbing-linear", "hollow_table", None)
    uniform = models.Diffusion(kernels.uniform(schedules.linear, 4), model.denoiser, None)
    for other in (table, uniform):
        with pytest.raises(ValueError, match=r"in_order=0.5 needs masks, .*\(sees_time=False\)"):
            objectives.CrossEntropy(other, in_order=0.5)
    with pytest.raises(ValueError, match=r"in_order is a share in \[0, 1\]; got 2"):
        objectives.CrossEntropy(model, in_order=2)
    with pytest.raises(ValueError, match="label_dropout is a share in .* got 2"):
        objectives.first_hidden(2)
    with pytest.raises(ValueError, match="hidden from those after them in order: set in_order"):
        objectives.CrossEntropy(model, hidden=objectives.first_hidden(0.2))
    with pytest.raises(ValueError, match="without posterior=True"):
        objectives.CrossEntropy(model, posterior=True, in_order=0.5)
    for seeing in (dict(sees_time=True), dict(sees_time=False, table_width=4)):
        network = networks.Hollow(4, **SIZES, **seeing)
        with pytest.raises(ValueError, match="sees_time=False and table_width=0"):
            network.init(jax.random.key(0), x, jnp.ones(len(x)), after=x)
    given = model.open(params).holding(jnp.where(jnp.arange(3) == 1, x, -1))
    assert not given.two_sided
