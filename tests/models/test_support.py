"""Models of rows of tables, lines or maps: all mass is on them, by enumeration of every row.

Of lines the padding is held, and lengths have their law; digits that are noise at once may make
no code.
"""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.models.autoregressive import LeftToRight
from amd_jax.models.code_lengths import CodeLength
from amd_jax.ops import scalars
from amd_jax.ops.columns import Columns
from amd_jax.transforms import argmax, laws
from amd_jax.transforms.autoregressive import Autoregressive, UpToEnd
from tests import enumeration, zoo
from tests.models import rows
from tests.models.means import assert_mean, draws
from tests.models.rows import compiled, drawn, every, in_any_order, masked, possible
from tests.variants import quick

COLUMNS = quick(zoo.COLUMNS, "digits")
NAMES = quick(rows.SUPPORTS, "digits")
BOTH = quick(rows.SUPPORTS, "digits", "labels")


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", BOTH)
def test_code_lengths_of_masks_sum_to_one(name):
    model, params = masked(name)
    for option in (CodeLength(order="left"), CodeLength(order="probability")):
        one = lambda params, rng, x, o=option: o(model, params, rng, x[None])[0]  # noqa: E731
        in_one_order = jax.vmap(one, (None, None, 0))
        p = np.exp(draws(in_one_order, params, every(name), 1))[0]
        assert p.sum() == pytest.approx(1, abs=1e-5)
        assert (p[~possible(name)] == 0).all()
        assert (p[possible(name)] > 0).all()
        if option.order == "left":
            exact = rows.in_order(name, tuple(range(rows.length(name))))
            np.testing.assert_allclose(p, exact, rtol=1e-3, atol=1e-9)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(rows.SUPPORTS, "maps"))
def test_random_orders_of_masks_sum_to_one(name):
    """Each row in an order of its own."""
    model, params = masked(name)
    p = np.exp(draws(functools.partial(CodeLength(), model), params, every(name)))
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    assert_mean(p, in_any_order(name), 0.02)
    assert (p[:, ~possible(name)] == 0).all()


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NAMES)
def test_steps_of_masks_sum_to_one(name):
    """Each line's mean is its mass in the chain of three steps, which ends in no other row."""
    model, params = masked(name)
    p = np.exp(draws(model.log_weight, params, every(name)))
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
    exact = np.mean([np.log(law[possible(name)]) for law in rows.in_every_order(name)], axis=0)
    assert (exact <= np.log(p) + 1e-9).all()
    elbos = [dataclasses.replace(model, steps=None).elbo]
    if name in zoo.LINES:
        times = jnp.linspace(1.0, 0.0, 65)
        elbos.append(functools.partial(model.elbo_of_all_steps, times=times))
    for elbo in elbos:
        assert_mean(draws(elbo, params, x, 5000) @ p, exact @ p, 0.1)


ONE_BY_ONE = samplers.FirstHitting(), samplers.Confidence(by="random"), samplers.DNDM()


@pytest.mark.few(2)
@pytest.mark.parametrize("sampler", quick(ONE_BY_ONE, ONE_BY_ONE[0]), ids=lambda s: s.name)
@pytest.mark.parametrize("name", BOTH)
def test_what_masks_draw_one_by_one_is_possible_and_follows_the_law(name, sampler):
    x = drawn(*masked(name), sampler=sampler)
    rows.assert_possible(name, x)
    enumeration.assert_drawn_from(enumeration.number(x, rows.classes(name)), in_any_order(name))


EVERY_WAY = [n for n in zoo.SAMPLERS if n.startswith(("ancestral", "remasking", "confidence"))]
EVERY_WAY = [("labels", n) for n in (*EVERY_WAY, "tau_leaping", "euler", "entropy_bound-loose")]
SHARPENED = [("columns", n) for n in ("confidence", "entropy_bound", "remasking-sharpened")]


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize(("name", "sampler"), EVERY_WAY + SHARPENED)
def test_every_sampler_of_masks_draws_what_is_possible(name, sampler):
    model, params = masked(name)
    steps = 20 if name == "labels" else 8
    model = dataclasses.replace(model, steps=steps)
    rows.assert_possible(name, drawn(model, params, sampler=zoo.SAMPLERS[sampler]))


@pytest.mark.parametrize("name", COLUMNS)
def test_what_masks_fill_in_is_possible_and_keeps_what_is_known(name):
    model, params = masked(name)
    x = np.repeat(every(name)[possible(name)], 40, axis=0)
    known = np.random.default_rng(0).random(x.shape) < 0.5
    one_by_one = functools.partial(model.infill, sampler=samplers.FirstHitting())
    y = np.asarray(compiled(one_by_one)(params, jax.random.key(3), x, known))
    assert possible(name)[enumeration.number(y, rows.K)].all()
    np.testing.assert_array_equal(y[known], x[known])
    assert (y != x).any()


@pytest.mark.parametrize("name", BOTH)
def test_left_to_right_sums_to_one(name):
    """The first padding ends a line: what follows has probability one, and lengths are learnt."""
    model, params = rows.autoregressive(name)
    p = np.exp(draws(model.log_weight, params, every(name), 1))[0]
    assert p.sum() == pytest.approx(1, abs=1e-6)
    assert (p[~possible(name)] == 0).all()
    assert (p[possible(name)] > 0).all()
    x = drawn(model, params)
    enumeration.assert_drawn_from(enumeration.number(x, rows.classes(name)), p)
    colder = drawn(model, params, sampler=LeftToRight(temperature=0.5, top_p=0.8))
    assert possible(name)[enumeration.number(colder, rows.classes(name))].all()


@dataclasses.dataclass(frozen=True, eq=False)
class Kept:
    """The noise of lines, but for padding, which stays: what is held is not needed."""

    kernel: kernels.Mixing
    state: int

    prior = property(lambda self: self.kernel.prior)
    num_classes = property(lambda self: self.kernel.num_classes)

    def push(self, p, s, t):
        stays = p * (jnp.arange(p.shape[-1]) == self.state)
        noisy = self.kernel.push(p, s, t) - self.kernel.push(stays, s, t)
        left = self.kernel.push(jnp.zeros_like(p), s, t)  # a mixture pushes 0 to its noise
        return noisy + left * (1 - stays.sum(axis=-1, keepdims=True)) + stays


@dataclasses.dataclass(frozen=True)
class Opened:
    """What `enumeration` asks of a model: another kernel, with the guess of a process."""

    kernel: object
    process: object
    predict = property(lambda self: self.process.predict)

    def open(self, params):
        return self


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("denoiser", quick(("table", "hollow_table"), "hollow_table"))
@pytest.mark.parametrize("name", BOTH)
def test_noise_within_a_support_sums_to_one_and_its_bound_is_the_exact_one(name, denoiser):
    """Padding is held clean without a network that is told; one may see its own token or not."""
    model, params = rows.multinomial(name, denoiser)
    assert not model.sees_known
    law = rows.law(model, params)
    assert law.sum() == pytest.approx(1, abs=1e-5)
    assert (law[~rows.inside(name)] == 0).all()
    lost = law[~possible(name)].sum()
    assert (lost == 0) == (name != "digits")
    p = np.exp(draws(model.log_weight, params, every(name)))
    assert (p[:, ~rows.inside(name)] == 0).all()
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    assert_mean(p, law, 0.02)
    assert_mean(p[:, possible(name)].sum(axis=1), 1.0 - lost, 0.02)
    x = drawn(model, params, 20_000)
    if name in zoo.LINES:
        rows.assert_possible(name, x)
    enumeration.assert_drawn_from(enumeration.number(x, rows.classes(name)), law)
    x, opened, exact = every(name)[possible(name)], model, 0.0
    if name in zoo.LINES:
        lines = model.support
        opened = Opened(Kept(model.kernel, lines.padding), model.open(params))
        exact = np.log(np.array(lines.lengths))[rows.sizes(lines, x) - 1]
    times = np.arange(model.steps, -1, -1) / model.steps
    for t, s in itertools.pairwise(times):
        exact = exact - enumeration.term(opened, params, x, s, t)
    assert (exact <= np.log(law[possible(name)]) + 1e-5).all()
    for elbo in (model.elbo, functools.partial(model.elbo_of_all_steps, times=jnp.asarray(times))):
        assert_mean(draws(elbo, params, x, 3000), exact, 0.12)


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


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in rows.SUPPORTS if n != "labels"])
def test_an_argmax_over_possible_rows_sums_to_one(name):
    model, params = flow(name)
    nats = draws(model.log_weight, params, every(name), 6000)
    p = np.exp(nats)
    assert (p[:, ~possible(name)] == 0).all()
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    sample = functools.partial(model.sample, shape=(20_000, rows.length(name)))
    x = np.asarray(compiled(sample)(params, jax.random.key(7)))
    number = enumeration.number(x, rows.classes(name))
    assert possible(name)[number].all()
    law, error = p.mean(axis=0), p.std(axis=0) / 6000**0.5
    share = np.bincount(number, minlength=len(every(name))) / len(x)
    assert (abs(share - law) <= 5 * np.hypot(error, (share / len(x)) ** 0.5)).all()
    often = share > 0.005
    assert (nats[:, often].mean(axis=0) < np.log(share[often])).all()


@pytest.mark.parametrize("name", COLUMNS)
def test_the_argmax_over_possible_classes_comes_back(name):
    model, params = flow(name)
    x = jnp.tile(every(name)[possible(name)], (50, 1))
    z, nats = compiled(model.forward)(params, jax.random.key(2), x)
    assert np.isfinite(nats).all()
    np.testing.assert_array_equal(compiled(model.inverse)(params, jax.random.key(3), z), x)


MASKS, LINE = kernels.absorbing(schedules.linear, 4), zoo.LINES["lines"]
FIELDS, CLASSES = Columns((2, 3), (0, 1), (2, 3)), Columns((5, 2, 2), (0, 1, 2), (5, 2, 2))
OTHER_ROWS = r"is for rows of as many.*got x of shape \(2, 3\)"
PADDING = "Noise never takes .* the padding of lines"
OF_TWO = kernels.uniform_within(schedules.cosine, np.ones((2, 4), bool))
REFUSED = [  # kernel, or None for a model from left to right; support
    (MASKS, FIELDS, OTHER_ROWS),
    (MASKS, CLASSES, OTHER_ROWS),
    (None, FIELDS, OTHER_ROWS),
    (None, CLASSES, OTHER_ROWS),
    (OF_TWO, None, r"for x of shape \('B', 2\); got \(2, 3\)"),
    (kernels.uniform(schedules.cosine, 3), LINE, PADDING),
    (kernels.masks_and_uniform(3), LINE, PADDING),  # uniform on the way to masks
]


@pytest.mark.parametrize(("kernel", "support", "message"), REFUSED)
def test_what_does_not_fit_is_refused_when_a_model_is_made(kernel, support, message):
    if kernel is None:
        model = models.Autoregressive(zoo.CausalTable(4), support=support)
    else:
        denoiser = zoo.Table(kernel.prior.shape[-1])
        model = models.Diffusion(kernel, denoiser, 3, support=support)
    x = jax.ShapeDtypeStruct((2, 3), np.int32)
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(model.init, jax.random.key(0), x)
