"""The model is a distribution and its bound a bound: every sequence and every path."""

import dataclasses
import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.diffusion.kernels import learned_schedule
from amd_jax.experiment import numbers
from amd_jax.learning import loop, objectives
from amd_jax.models.bounds import Elbo, ImportanceWeighted
from amd_jax.models.step_bounds import AllSteps
from tests import enumeration, zoo
from tests.models.means import assert_mean
from tests.variants import quick

DRAWS = 4000  # per sequence
QUICK = ("uniform-cosine", "absorbing-linear")
X = jax.ShapeDtypeStruct((2, zoo.LENGTH), np.int32)

SHARED = (kernels.Mixing, zoo.BirthDeath)  # which `draws_of` makes anew of schedule and prior


class Measured(NamedTuple):
    """A model's exact laws, and draws of everything that it offers."""

    law: np.ndarray  # over all sequences of states, (K ** L,)
    p: np.ndarray  # of every sequence of data, (N,)
    bound: np.ndarray  # (N,)
    log_weight: np.ndarray  # (DRAWS, N)
    elbo: np.ndarray  # (DRAWS, N)
    all_steps: np.ndarray  # (DRAWS, N)
    samples: np.ndarray  # numbers of sequences, (20_000,)


def draws(model, params, rng, x):
    rows = jnp.tile(x, (DRAWS, 1))
    rngs = jax.random.split(rng, 4)
    all_steps = functools.partial(AllSteps(), model)
    verbs = model.log_weight, model.elbo, all_steps
    nats = [f(params, r, rows).reshape(DRAWS, -1) for f, r in zip(verbs, rngs, strict=False)]
    return *nats, model.sample(params, rngs[3], (20_000, x.shape[1]))


@functools.partial(
    jax.jit,
    static_argnames=("family", "denoiser", "steps"),
    compiler_options=zoo.HASTE,
)
def draws_of(family, denoiser, steps, log_alpha, prior, params, rng, x):
    """Draws of a model whose schedule and prior are arguments: one program for many kernels."""
    schedule = lambda t: log_alpha[jnp.round(t * steps).astype(jnp.int32)]  # noqa: E731
    kernel = (
        zoo.BirthDeath(schedule) if family is None else kernels.Mixing(schedule, prior, family)
    )
    return draws(models.Diffusion(kernel, denoiser, steps), params, rng, x)


def measure(model, scale=0.5, shared=False):
    params = zoo.parameters(model, scale=scale)
    kernel = model.open(params).kernel
    x = enumeration.sequences(kernel.num_classes, zoo.LENGTH)
    rng = jax.random.key(1)
    if (
        shared
        and isinstance(kernel, SHARED)
        and not isinstance(kernel.schedule, learned_schedule.Warped)
    ):
        family = kernel.num_classes if isinstance(kernel, kernels.Mixing) else None
        log_alpha = kernel.schedule(jnp.arange(model.steps + 1) / model.steps)
        prior = jnp.asarray(kernel.prior)
        *nats, samples = draws_of(
            family, model.denoiser, model.steps, log_alpha, prior, params, rng, x
        )
    else:
        *nats, samples = jax.jit(functools.partial(draws, model))(params, rng, x)
    assert samples.dtype == jnp.int32
    law = enumeration.law(model, params, zoo.LENGTH)
    return Measured(
        law,
        law[enumeration.number(x, len(kernel.prior))],
        enumeration.bound(model, params, x),
        *(np.asarray(n, np.float64) for n in nats),
        enumeration.number(samples, len(kernel.prior)),
    )


# Every kernel in five steps, and kernels of every family in one and two. All tests are of the same
# cases, so that what takes the time, drawing and enumerating, is done once for each.
MEASURED = [(name, 5) for name in (*zoo.KERNELS, *zoo.LEARNED)]
MEASURED += [(name, steps) for steps in (1, 2) for name in zoo.FAMILIES]
MEASURED = quick(MEASURED, *((name, 5) for name in QUICK))


@pytest.fixture(scope="module", params=MEASURED, ids=lambda case: "{}-T{}".format(*case))
def measured(request):
    name, steps = request.param
    return measure(zoo.diffusion(name, "table", steps), shared=name in zoo.KERNELS)


@pytest.mark.few(1)
def test_sums_to_one(measured):
    total = np.exp(measured.log_weight).sum(axis=1)
    assert_mean(total, 1.0, 0.02)
    assert measured.law.sum() == pytest.approx(1, abs=1e-5)
    assert measured.p.sum() == pytest.approx(1, abs=1e-5)  # nothing on states that are noise only


def test_log_weight_is_unbiased_for_each_sequence(measured):
    assert_mean(np.exp(measured.log_weight), measured.p, 0.02)


def test_bound_is_the_exact_one_and_below(measured):
    assert (measured.bound <= np.log(measured.p) + 1e-5).all()
    assert_mean(measured.elbo, measured.bound, 0.12)
    assert_mean(measured.all_steps, measured.bound, 0.05)


def test_samples_follow_the_law(measured):
    enumeration.assert_drawn_from(measured.samples, measured.law)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["uniform-cosine", "absorbing-linear", "birth_death-cosine"])
def test_leaving_one_out_keeps_the_bound_and_lowers_its_variance(kernel):
    parts = zoo.KERNELS[kernel], len(zoo.KERNELS[kernel].prior)
    two = [
        models.Diffusion(parts[0], denoiser(parts[1]), steps=3)
        for denoiser in (zoo.HollowTable, zoo.HollowTableUnsaid)
    ]
    assert [model.leave_one_out for model in two] == [True, False]
    exact, sampled = (measure(model, shared=True) for model in two)
    np.testing.assert_allclose(exact.bound, sampled.bound, rtol=1e-6)
    for measured in (exact, sampled):
        assert_mean(measured.elbo, exact.bound, 0.1)
        assert_mean(measured.all_steps, exact.bound, 0.05)
    assert exact.all_steps.std(axis=0).mean() < 0.8 * sampled.all_steps.std(axis=0).mean()


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("denoiser", ["hollow", "transformer", "linear_transformer"])
def test_networks_make_distributions(denoiser):
    measured = measure(zoo.diffusion("uniform-cosine", denoiser, 2), scale=0.3, shared=True)
    assert_mean(np.exp(measured.log_weight), measured.p, 0.02)
    assert_mean(measured.elbo, measured.bound, 0.1)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize(
    "kernel",
    quick(["uniform-cosine", "absorbing-linear", "birth_death-cosine"], "uniform-cosine"),
)
def test_loss_of_every_step_is_the_exact_one(kernel):
    """Not their sum alone: an off-by-one in time would shift terms."""
    model = zoo.diffusion(kernel, "table", 4)
    params = zoo.parameters(model)
    x = enumeration.sequences(model.kernel.num_classes, zoo.LENGTH)
    rows, i = np.tile(x, (16_000, 1)), np.repeat([1, 2, 3, 4], 4000 * len(x))

    @jax.jit
    def loss_at(params, rng, x, i):
        return bounds.step_term(model.open(params), rng, x, i, model.steps)

    nats = loss_at(params, jax.random.key(0), rows, i)
    nats = np.asarray(nats, np.float64).reshape(4, 4000, len(x))
    every = enumeration.sequences(len(model.kernel.prior), zoo.LENGTH)
    for i in range(1, 5):
        s, t = (i - 1) / 4, i / 4
        guess = enumeration.bayes(
            model.kernel, enumeration.guesses(model, params, every, t), every, s, t
        )
        for j, x_0 in enumerate(x):
            true = enumeration.bayes(model.kernel, np.eye(guess.shape[-1])[x_0][None], every, s, t)
            weight = enumeration.matrix(model.kernel, 0.0, t)[x_0, every].prod(axis=-1)
            exact = (weight * enumeration.kl(true, guess).sum(axis=-1)).sum()
            assert_mean(nats[i - 1, :, j], exact, 0.1)


def test_prior_kl_by_hand():
    """The closed form: a log(K a) + (K - 1) b log(K b) per token, a + (K - 1) b = 1."""
    model = zoo.diffusion("uniform-reference_cosine", "table", 10)
    alpha = np.exp(float(model.kernel.schedule(jnp.ones(()))))
    a, b = alpha + (1 - alpha) / 3, (1 - alpha) / 3
    expected = zoo.LENGTH * (a * np.log(3 * a) + 2 * b * np.log(3 * b))
    assert expected > 1e-5
    x = jnp.array([[0, 1], [2, 2]])
    result = jax.jit(lambda x: bounds.prior_kl(model.kernel, x))(x)
    np.testing.assert_allclose(result, expected, rtol=0.02)


@pytest.mark.few(2)
@pytest.mark.parametrize("steps", [1, 7, 1000, 4000])
def test_steps_at_counts_every_step_equally_often(steps):
    u = (np.arange(8 * steps) + 0.5) / (8 * steps)
    i = np.asarray(bounds.steps_at(jnp.asarray(u, jnp.float32), steps))
    assert (np.bincount(i, minlength=steps + 1)[1:] >= 7).all()
    assert int(bounds.steps_at(jnp.float32(1 - 2**-24), steps)) == steps
    assert int(bounds.steps_at(jnp.float32(0), steps)) == 1


def test_stratified_covers_the_strata_and_is_uniform():
    u = jax.jit(jax.vmap(lambda rng: bounds.stratified(rng, 8)))(
        jax.random.split(jax.random.key(0), 4000)
    )
    u = np.asarray(u)
    assert ((0 <= u) & (u < 1)).all()
    assert (np.sort((u * 8).astype(int), axis=1) == np.arange(8)).all()
    for place in range(8):  # every place in the batch sees every time
        enumeration.assert_drawn_from((u[:, place] * 16).astype(int), np.full(16, 1 / 16))


def test_predict_gives_nothing_to_the_mask():
    model = zoo.diffusion("absorbing-cosine", "table", 3)
    x_t = enumeration.sequences(3, zoo.LENGTH)
    predict = jax.jit(lambda params, t: model.open(params).predict(x_t, t))
    p = np.asarray(predict(zoo.drawn(model, x_t), np.full(len(x_t), 0.5, np.float32)))
    assert p.shape == (9, zoo.LENGTH, 3)
    assert p.dtype == np.float32
    assert (p[..., 2] == 0).all()
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-6)


@pytest.mark.slow
def test_samples_in_fewer_steps_follow_the_coarser_chain():
    model = zoo.diffusion("uniform-cosine", "table", 12)
    params = zoo.parameters(model, scale=2.0)
    coarse = dataclasses.replace(model, steps=3)
    expected = enumeration.law(coarse, params, zoo.LENGTH)
    assert abs(expected - enumeration.law(model, params, zoo.LENGTH)).max() > 0.02  # it can fail
    draw = jax.jit(model.sample, static_argnums=(2, 3))
    x = draw(params, jax.random.key(0), (20_000, zoo.LENGTH), 3)
    enumeration.assert_drawn_from(enumeration.number(x, 3), expected)


def test_the_parts_of_a_walk_have_noise_of_their_own():
    """At every time that is shown as many masks as the process has, whichever the parts."""
    model = zoo.diffusion("absorbing-linear", "table", 3)
    frames = list(model.walk(zoo.parameters(model), jax.random.key(0), (20_000, zoo.LENGTH), 4))
    assert [t for t, _ in frames] == pytest.approx([1, 2 / 3, 1 / 3, 0])
    for t, x in frames:
        enumeration.assert_drawn_from(x == 2, [1 - t, t])


@pytest.mark.slow
def test_default_sampling_takes_every_step():
    model = zoo.diffusion("uniform-cosine", "table", 4)
    params, rng = zoo.parameters(model), jax.random.key(3)
    x, y = (model.sample(params, rng, (50, zoo.LENGTH), steps) for steps in (None, 4))
    assert (x == y).all()
    assert (x != model.sample(params, rng, (50, zoo.LENGTH), 2)).any()


@pytest.mark.parametrize(
    ("steps", "message"),
    [(0, "steps must be at least 1; got steps=0"), (6, r"must be in \[1, 5\].*got 6")],
)
def test_more_steps_than_the_model_has_are_refused(steps, message):
    model = zoo.diffusion("uniform-cosine", "table", 5)
    with pytest.raises(ValueError, match=message):
        model.sample(zoo.drawn(model, X), jax.random.key(0), (2, zoo.LENGTH), steps)
    with pytest.raises(ValueError, match=message.replace("steps must", "grid must")[:15]):
        AllSteps(steps).describe(model)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="at least 1 step; got steps=0"):
        zoo.diffusion("uniform-cosine", "table", 0)


def test_check_refuses_a_denoiser_that_leaks():
    kernel = zoo.KERNELS["uniform-cosine"]
    x = jnp.asarray(zoo.Pairs().batch(0, 0, 8), jnp.int32)
    liar = models.Diffusion(kernel, zoo.Liar(3), steps=5)
    with pytest.raises(ValueError, match="Liar says leave_one_out, but its logits moved by"):
        liar.check(zoo.parameters(liar), jax.random.key(0), x)
    for denoiser in (zoo.HollowTable(3), zoo.Table(3)):  # honest, and promising nothing
        model = models.Diffusion(kernel, denoiser, steps=5)
        model.check(zoo.parameters(model), jax.random.key(0), x)


class LeakyHollow(networks.Hollow):
    """Adds its own token to what it sees, through a layer that starts at zero."""

    def tower(self, name, x_t, *others):
        past = super().tower(name, x_t, *others)
        gate = self.param(f"{name}_gate", lambda _: jnp.zeros(()))
        return past + gate * x_t[..., None]


@pytest.mark.slow
def test_check_finds_paths_that_are_closed_at_initialisation():
    kernel = kernels.uniform(schedules.cosine, 5)
    x = jax.random.randint(jax.random.key(0), (8, 6), 0, 5)
    for network, honest in ((networks.Hollow, True), (LeakyHollow, False)):
        denoiser = network(5, width=8, blocks=1, join_width=8, join_blocks=1)
        model = models.Diffusion(kernel, denoiser, steps=5)
        params = jax.jit(model.init)(jax.random.key(1), x)
        if honest:
            model.check(params, jax.random.key(2), x)
        else:
            with pytest.raises(ValueError, match="LeakyHollow says leave_one_out"):
                model.check(params, jax.random.key(2), x)


@pytest.mark.slow
def test_events_of_any_shape():
    """Images too: the batch is the first axis, nats are summed over all others."""
    model = zoo.diffusion("uniform-cosine", "table", 3)

    class Flattened(zoo.Table):
        def __call__(self, x_t, t, *, train=False):
            flat = x_t.reshape(x_t.shape[0], -1)
            return super().__call__(flat, t, train=train).reshape(*x_t.shape, self.num_states)

    image = models.Diffusion(model.kernel, Flattened(3), steps=3)
    x = jnp.array([[[0, 1]], [[2, 2]]])
    params = jax.jit(image.init)(jax.random.key(0), x)
    for verb in (Elbo(), AllSteps(), ImportanceWeighted(1)):
        flat, nats = (
            jax.jit(functools.partial(verb, made))(params, jax.random.key(1), rows)
            for made, rows in ((model, x[:, 0]), (image, x))
        )
        assert nats.shape == (2,)
        assert nats.dtype == jnp.float32
        np.testing.assert_allclose(nats, flat, rtol=1e-5)
    assert image.sample(params, jax.random.key(2), (4, 1, 2)).shape == (4, 1, 2)


class Deaf(nn.Module):
    """Takes no `train`."""

    def __call__(self, x_t, t):
        return jnp.zeros((*x_t.shape, 3))


@pytest.mark.parametrize(
    ("kernel", "states", "shown"),
    [
        ("absorbing-linear", 2, "a kernel of 3 states, 1 of them noise only a denoiser gives"),
        ("uniform-cosine", 4, "a kernel of 3 states a denoiser gives"),
    ],
)
def test_a_network_of_another_width_is_refused_when_it_is_made(kernel, states, shown):
    model = models.Diffusion(zoo.KERNELS[kernel], zoo.HollowTable(states), steps=5)
    with pytest.raises(ValueError, match=shown) as refused:
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((2, 2), jnp.int32))
    assert f"HollowTable gives (2, 2, {states}). Build it for" in str(refused.value)


def test_a_network_without_train_is_refused():
    with pytest.raises(ValueError, match="Deaf.__call__ takes no train. Add"):
        models.Diffusion(zoo.KERNELS["uniform-cosine"], Deaf(), steps=5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", quick(zoo.LEARNED, "per_class_masking"))
@pytest.mark.slow
def test_every_parameter_moves_within_three_steps(name):
    """Those of the kernel as well; from parameters with no gate shut, as one is at first."""
    model = zoo.diffusion(name, "hollow", 4)
    parts = loop.Parts(model, objectives.NegativeElbo(model), optax.adam(1e-2))
    begun = zoo.parameters(model)
    result = loop.train(parts, zoo.Pairs(), numbers(batch_size=8, num_steps=3), params=begun)
    assert {"kernel", "network"} == result.keys()
    for path, before in jax.tree.leaves_with_path(begun):
        after = functools.reduce(lambda tree, key: tree[key.key], path, result)
        assert (before != after).any(), jax.tree_util.keystr(path)
