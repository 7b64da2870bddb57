"""The model is a distribution and its bound a bound: every sequence and every path."""

import dataclasses
import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import bounds, kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.learning import objectives
from amd_jax.models.bounds import Elbo, ImportanceWeighted
from amd_jax.models.step_bounds import AllSteps
from amd_jax.ops import categorical
from tests import enumeration, zoo
from tests.models.means import assert_mean, draws
from tests.variants import quick


class Measured(NamedTuple):
    """A model's exact laws, and draws of everything that it offers."""

    law: np.ndarray  # over all sequences of states, (K ** L,)
    p: np.ndarray  # of every sequence of data, (N,)
    bound: np.ndarray  # (N,)
    log_weight: np.ndarray  # (4000, N)
    elbo: np.ndarray
    all_steps: np.ndarray
    samples: np.ndarray  # numbers of sequences, (20_000,)


def measure(model):
    params = zoo.parameters(model)
    kernel = model.open(params).kernel
    x = enumeration.sequences(kernel.num_classes, zoo.LENGTH)
    verbs = model.log_weight, model.elbo, functools.partial(AllSteps(), model)
    nats = (draws(f, params, x, 4000, seed) for seed, f in enumerate(verbs))
    sample = jax.jit(model.sample, static_argnums=2, compiler_options=zoo.HASTE)
    samples = sample(params, jax.random.key(3), (20_000, zoo.LENGTH))
    assert samples.dtype == jnp.int32
    law = enumeration.law(model, params, zoo.LENGTH)
    return Measured(
        law,
        law[enumeration.number(x, len(kernel.prior))],
        enumeration.bound(model, params, x),
        *nats,
        enumeration.number(samples, len(kernel.prior)),
    )


# Every kernel in five steps, and kernels of every family in one and two. All tests are of the same
# cases, so that what takes the time, drawing and enumerating, is done once for each.
MEASURED = [(name, 5) for name in (*zoo.KERNELS, *zoo.LEARNED)]
MEASURED += [(name, steps) for steps in (1, 2) for name in zoo.FAMILIES]
MEASURED = quick(MEASURED, ("uniform-cosine", 5), ("absorbing-linear", 5))


@pytest.fixture(scope="module", params=MEASURED, ids=lambda case: "{}-T{}".format(*case))
def measured(request):
    name, steps = request.param
    return measure(zoo.diffusion(name, "table", steps))


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
    kernel = zoo.KERNELS[kernel]
    two = [
        models.Diffusion(kernel, denoiser(len(kernel.prior)), steps=3)
        for denoiser in (zoo.HollowTable, zoo.HollowTableUnsaid)
    ]
    assert [model.leave_one_out for model in two] == [True, False]
    exact, sampled = (measure(model) for model in two)
    np.testing.assert_allclose(exact.bound, sampled.bound, rtol=1e-6)
    for measured in (exact, sampled):
        assert_mean(measured.elbo, exact.bound, 0.1)
        assert_mean(measured.all_steps, exact.bound, 0.05)
    assert exact.all_steps.std(axis=0).mean() < 0.8 * sampled.all_steps.std(axis=0).mean()


@pytest.mark.few(2)
@pytest.mark.parametrize("steps", [1, 7, 1000, 4000])
def test_steps_at_counts_every_step_equally_often(steps):
    u = (np.arange(8 * steps) + 0.5) / (8 * steps)
    i = np.asarray(bounds.steps_at(jnp.asarray(u, jnp.float32), steps))
    assert (np.bincount(i, minlength=steps + 1)[1:] >= 7).all()
    assert int(bounds.steps_at(jnp.float32(1 - 2**-24), steps)) == steps
    assert int(bounds.steps_at(jnp.float32(0), steps)) == 1


def test_stratified_covers_the_strata_and_is_uniform():
    rngs = jax.random.split(jax.random.key(0), 4000)
    u = np.asarray(jax.jit(jax.vmap(lambda rng: bounds.stratified(rng, 8)))(rngs))
    assert ((0 <= u) & (u < 1)).all()
    assert (np.sort((u * 8).astype(int), axis=1) == np.arange(8)).all()
    for place in range(8):  # every place in the batch sees every time
        enumeration.assert_drawn_from((u[:, place] * 16).astype(int), np.full(16, 1 / 16))


@pytest.mark.slow
def test_samples_follow_the_chain_of_every_step_or_of_a_coarser_one():
    model = zoo.diffusion("uniform-cosine", "table", 12)
    params = zoo.parameters(model, scale=2.0)
    laws = {
        steps: enumeration.law(dataclasses.replace(model, steps=steps or 12), params, zoo.LENGTH)
        for steps in (None, 3)
    }
    assert abs(laws[None] - laws[3]).max() > 0.02  # it can fail
    draw = jax.jit(model.sample, static_argnums=(2, 3))
    for steps, law in laws.items():
        x = draw(params, jax.random.key(0), (20_000, zoo.LENGTH), steps)
        enumeration.assert_drawn_from(enumeration.number(x, 3), law)


def test_the_parts_of_a_walk_have_noise_of_their_own():
    """At every time that is shown as many masks as the process has, whichever the parts."""
    model = zoo.diffusion("absorbing-linear", "table", 3)
    frames = list(model.walk(zoo.parameters(model), jax.random.key(0), (20_000, zoo.LENGTH), 4))
    assert [t for t, _ in frames] == pytest.approx([1, 2 / 3, 1 / 3, 0])
    for t, x in frames:
        enumeration.assert_drawn_from(x == 2, [1 - t, t])


@pytest.mark.parametrize(
    ("steps", "message"),
    [(0, "steps must be at least 1; got steps=0"), (6, r"must be in \[1, 5\].*got 6")],
)
def test_more_steps_than_the_model_has_are_refused(steps, message):
    model = zoo.diffusion("uniform-cosine", "table", 5)
    with pytest.raises(ValueError, match=message):
        model.sample({}, jax.random.key(0), (2, zoo.LENGTH), steps)
    with pytest.raises(ValueError, match=message.replace("steps must", "grid must")[:15]):
        AllSteps(steps).describe(model)


class LeakyHollow(networks.Hollow):
    """Adds its own token to what it sees, through a layer that starts at zero."""

    def tower(self, name, x_t, *others):
        past = super().tower(name, x_t, *others)
        gate = self.param(f"{name}_gate", lambda _: jnp.zeros(()))
        return past + gate * x_t[..., None]


SMALL = dict(width=8, blocks=1, join_width=8, join_blocks=1)
LEAKS = (zoo.Liar(3), zoo.HollowTable(3)), (LeakyHollow(3, **SMALL), networks.Hollow(3, **SMALL))


@pytest.mark.parametrize("pair", quick(LEAKS, LEAKS[0], slow=LEAKS[1:]), ids=["table", "hollow"])
def test_check_refuses_a_denoiser_that_leaks(pair):
    """Also by a path that is closed at initialisation."""
    liar, honest = pair
    x, rng = jnp.asarray(zoo.Pairs().batch(0, 0, 8), jnp.int32), jax.random.key(0)
    for denoiser in (liar, honest, zoo.Table(3)):  # which promises nothing
        model = models.Diffusion(zoo.KERNELS["uniform-cosine"], denoiser, steps=5)
        params = jax.jit(model.init)(jax.random.key(1), x)
        if denoiser is liar:
            message = f"{type(liar).__name__} says leave_one_out, but its logits moved by"
            with pytest.raises(ValueError, match=message):
                model.check(params, rng, x)
        else:
            model.check(params, rng, x)


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


@pytest.mark.slow
def test_a_hollow_network_needs_few_arrays_of_all_classes():
    """Of the tokens of a language model: how many arrays (B, L, K) there are at once."""
    num_classes, shape = 50_257, (2, 16)
    network = networks.Hollow(num_classes, width=16, join_width=16)
    model = models.Diffusion(kernels.uniform(schedules.cosine, num_classes), network, None)
    x, rng = jax.ShapeDtypeStruct(shape, jnp.int32), jax.eval_shape(lambda: jax.random.key(0))
    params = jax.eval_shape(model.init, rng, x)
    objective = objectives.CrossEntropy(model)
    gradient = jax.grad(lambda p, rng, x: objective.loss(p, (), rng, x)[0].mean())

    def arrays(function):
        how = {"xla_backend_optimization_level": 3}  # as users compile: the tests fuse nothing
        result = jax.jit(function).lower(params, rng, x).compile(how).memory_analysis()
        return result.temp_size_in_bytes / (4 * np.prod(shape) * num_classes)

    assert arrays(gradient) < 4  # 15 with a one-hot for every tap of the towers
    assert arrays(model.elbo) < 7  # 19


NOISE = {
    "uniform": kernels.uniform(schedules.cosine, 3),
    "masks": kernels.absorbing(schedules.linear, 3),
    "both": kernels.masks_and_uniform(3, 0.2),
}
DATA = certificates.correlated()


class Perfect(nn.Module):
    """Knows the data; puts out one law or the other."""

    process: object
    own: bool

    def __call__(self, x_t, t, *, train=False):
        if self.own:
            return categorical.log(self.process.denoised(x_t, t).law)
        return categorical.log(self.process.predict(x_t, t))


class Denoising(Perfect):
    denoises = True


def perfect(kernel, network, own):
    """A diffusion with a perfect network, and its parameters: none."""
    process = certificates.exact(kernel, DATA)
    result = models.Diffusion(kernel, network(process, own), steps=None)
    return result, result.init(jax.random.key(0), jnp.zeros((1, DATA.ndim), jnp.int32))


def distance(result, params, steps):
    """How far samples are from the data."""
    law = certificates.law(samplers.Ancestral(steps=steps), result.open(params), DATA.ndim, None)
    return certificates.distance(law, DATA)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", quick(NOISE, "both"))
def test_guesses_from_others_and_denoised_ones_have_one_bound_and_the_same_samples(name):
    both = [
        perfect(NOISE[name], network, network is Denoising) for network in (Perfect, Denoising)
    ]
    x = jnp.tile(enumeration.sequences(3, 2), (4, 1))
    elbos = [made.elbo(params, jax.random.key(1), x) for made, params in both]
    np.testing.assert_allclose(*elbos, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(*(distance(*made, 8) for made in both), atol=1e-5)


@pytest.mark.slow
def test_what_is_denoised_taken_for_a_guess_never_converges():
    """The mistake, on purpose: by a network that does not say what it puts out."""
    right, wrong = (
        [distance(*perfect(NOISE["uniform"], network, True), steps) for steps in (8, 32, 128)]
        for network in (Denoising, Perfect)
    )
    assert right[0] > 3 * right[1] > 9 * right[2]
    assert min(wrong) > 0.15
    assert wrong[2] > 0.8 * wrong[1]


def test_a_network_cannot_weigh_a_token_that_it_does_not_see():
    class Both(zoo.HollowTable):
        denoises = True

    with pytest.raises(ValueError, match="Both says both leave_one_out and denoises"):
        models.Diffusion(NOISE["uniform"], Both(3))
