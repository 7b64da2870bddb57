"""Gaussian diffusion is a distribution, its bounds are bounds, and known answers are met."""

import dataclasses
import functools
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import gaussian
from amd_jax.diffusion.gaussian import noise_schedules
from amd_jax.learning import objectives
from amd_jax.models.step_bounds import AllSteps
from tests import enumeration, zoo
from tests.models.means import assert_mean, assert_same_mean, draws, standard_error
from tests.variants import quick

X = jnp.asarray(enumeration.sequences(3, zoo.LENGTH))
STEPS = 3


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", quick(zoo.GAUSSIAN, "range"))
@pytest.mark.slow
def test_it_sums_to_one_draws_what_it_weighs_and_its_bounds_have_one_mean(kind):
    """With reconstruction, prior and variance of the steps in their places, and only so."""
    model = zoo.gaussian_diffusion(kind, STEPS)
    params = zoo.parameters(model, scale=0.3)
    verbs = model.log_weight, model.elbo, functools.partial(AllSteps(), model)
    log_weight, elbo, all_steps = (
        draws(verb, params, X, 10_000, seed) for seed, verb in enumerate(verbs)
    )
    weight = np.exp(log_weight)
    assert_mean(weight.sum(axis=1), 1.0, 0.02)
    sample = jax.jit(model.sample, static_argnums=2, compiler_options=zoo.HASTE)
    samples, p = sample(params, jax.random.key(3), (4000, zoo.LENGTH)), weight.mean(axis=0)
    assert samples.dtype == jnp.int32
    enumeration.assert_drawn_from(enumeration.number(samples, 3), p)
    assert_same_mean(elbo, all_steps, 0.1)
    assert_same_mean(log_weight, all_steps, 0.1)
    slack = 5 * (standard_error(weight) / p + standard_error(all_steps))
    assert (all_steps.mean(axis=0) <= np.log(p) + slack).all()


class Logits(nn.Module):
    """The same logits of classes at every position and time: what is known without context."""

    values: tuple[float, ...]

    @nn.compact
    def __call__(self, z_t, t, *, train=False):
        return jnp.broadcast_to(jnp.array(self.values), (*z_t.shape[:-1], len(self.values)))


P = (0.4, 0.3, 0.15, 0.1, 0.05)


def single(points, ends, steps):
    """The diffusion of one variable with law P, and the denoiser that is best for it."""
    denoiser = Logits(tuple(np.log(P).tolist()))
    return models.GaussianDiffusion(points, denoiser, noise_schedules.Linear(*ends), steps)


def quadrature(model, points=10_001):
    """-E[bound] of x ~ P with D = 1, on a fine grid of ε, and of t in continuous time."""
    process = model.open({})
    grid = jnp.linspace(-9, 9, points)
    weight = jnp.outer(jnp.array(P), jnp.exp(-0.5 * grid**2) * 18 / (points - 1))
    weight = weight.ravel() / np.sqrt(2 * np.pi)
    x, eps = jnp.repeat(jnp.arange(5), points), jnp.tile(grid, 5)[:, None]
    f = process.point(x)

    def squared(t):
        z = gaussian.diffused(f, eps, process.gamma(t))
        error = f - process.guess(z, jnp.full(len(x), t)).clean
        return (weight * jnp.square(error)[:, 0]).sum()

    steps = model.steps or 1000
    i = jnp.arange(1.0, steps + 1)
    s, t = (i - 1) / steps, (i if model.steps else i - 0.5) / steps
    gap = jnp.exp(-process.gamma(s)) - jnp.exp(-process.gamma(i / steps))
    if model.steps is None:
        slope = jax.jvp(process.gamma, (t,), (jnp.ones_like(t),))[1]
        gap = jnp.exp(-process.gamma(t)) * slope / steps
    z_0 = gaussian.diffused(f, eps, process.gamma(jnp.zeros(())))
    log_p = jnp.take_along_axis(gaussian.decoded(process, z_0), x[:, None], axis=-1)[:, 0]
    prior = (jnp.array(P) * gaussian.bounds.prior_kl(process, jnp.arange(5))).sum()
    diffusion = 0.5 * (gap * jax.lax.map(squared, t)).sum()
    return diffusion + prior - (weight * log_p).sum()


ANSWERS = {  # ends of γ, T -> nats, by quadrature of others; the entropy is 1.3923
    (-13.3, 5.0, 10): 4.0839,
    (-13.3, 5.0, 100): 1.5283,
    (-13.3, 5.0, 1000): 1.4056,
    (-13.3, 5.0, None): 1.3928,
    (-6.0, 4.0, 10): 2.3923,
    (-6.0, 4.0, 1000): 1.4005,
    (-6.0, 4.0, None): 1.3935,
    (-4.0, 3.0, 100): 1.4337,
    (-4.0, 3.0, None): 1.4053,
}


@pytest.mark.parametrize("case", quick(ANSWERS, (-13.3, 5.0, 10)))
def test_known_answers_of_one_variable(case):
    *ends, steps = case
    with jax.enable_x64(True):
        result = jax.jit(quadrature, static_argnums=0)(single(gaussian.on_a_line(5), ends, steps))
    assert abs(float(result) - ANSWERS[case]) < 1e-3


@pytest.mark.slow
def test_the_bound_of_one_variable_in_continuous_time():
    """By draws, of one-hots in {-1, 1}^5."""
    model = single(2 * np.eye(5) - 1, (-6.0, 6.0), None)
    nats = -draws(model.elbo, {}, np.arange(5)[:, None], 200_000, seed=0)
    error = np.linalg.norm(P * standard_error(nats))
    assert error < 0.006
    assert abs(P @ nats.mean(axis=0) - 1.393) < 0.004 + 3 * error


@pytest.mark.slow
def test_whatever_the_sampler_one_variable_has_its_law():
    model = single(gaussian.one_hots(5), (-5.0, 7.0), None)
    for sampler in (gaussian.samplers.Ancestral(200), gaussian.samplers.DDIM(200, eta=0.5)):
        draw = jax.jit(functools.partial(model.sample, sampler=sampler), static_argnums=2)
        x = draw({}, jax.random.key(0), (4000, 1))
        enumeration.assert_drawn_from(x, np.array(P))


NETWORKS = {
    "transformer": (networks.Transformer(3, width=8, blocks=1, heads=2), (4,)),
    "hollow": (networks.Hollow(3, width=8, join_width=8, blocks=1, table_width=2), (4,)),
    "linear_transformer": (
        networks.LinearTransformer(3, dim=8, depth=1, heads=2, local_heads=1, window=2),
        (4,),
    ),
    "hollow_map": (networks.HollowMap(3, width=8, join_width=8, dilations=(1,)), (4, 4)),
    "unet": (networks.UNet(3, dim=8, multipliers=(1, 2), groups=4, heads=1), (4, 4)),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(NETWORKS, "hollow"))
@pytest.mark.slow
def test_networks_read_one_hots_as_tokens_and_vectors_in_between(name):
    denoiser, event = NETWORKS[name]
    x, t = jax.random.randint(jax.random.key(0), (2, *event), 0, 3), jnp.array([0.3, 0.6])
    model = models.GaussianDiffusion(gaussian.one_hots(3), denoiser, steps=None)
    params = zoo.parameters(model, scale=0.3, data=x)["network"]
    apply = jax.jit(lambda x: denoiser.apply({"params": params}, x, t))
    z = jax.nn.one_hot(x, 3)
    np.testing.assert_allclose(apply(x), apply(z), atol=1e-5)
    assert abs(apply(z) - apply(1.2 * z)).max() > 1e-4


class LyingTransformer(networks.Transformer):
    """Sees its own token and says that it does not."""

    leave_one_out = True


@pytest.mark.slow
def test_a_hollow_network_is_held_to_its_promise():
    def check(denoiser):
        model = models.GaussianDiffusion(gaussian.one_hots(3), denoiser)
        model.check(jax.jit(model.init)(jax.random.key(0), X), jax.random.key(1), X)

    check(NETWORKS["hollow"][0])
    with pytest.raises(ValueError, match="LyingTransformer says leave_one_out, but"):
        check(LyingTransformer(3, width=8, blocks=1, heads=2))


class Hollow(Logits):
    """Sees nothing, its own numbers neither."""

    leave_one_out = True


class Denoising(Logits):
    """Says that it weighs a position's own numbers itself."""

    denoises = True


@pytest.mark.slow
def test_cross_entropy_is_of_the_guess_that_a_denoiser_makes():
    """Of a guess from the others plainly; with the own numbers, of what follows by Bayes' rule."""
    x, values = jnp.tile(jnp.arange(3), 100)[:, None], tuple(np.log([0.5, 0.3, 0.2]).tolist())
    plain = -np.log([0.5, 0.3, 0.2])
    for kind, leave_one_out in ((Hollow, True), (Denoising, False), (Logits, False)):
        model = models.GaussianDiffusion(gaussian.one_hots(3), kind(values), steps=None)
        assert model.leave_one_out == leave_one_out
        nats, _ = objectives.CrossEntropy(model).loss({}, (), jax.random.key(0), x)
        if kind is Logits:
            assert nats.mean() < 0.8 * plain.mean()
        else:
            np.testing.assert_allclose(nats, np.tile(plain, 100), rtol=1e-5)


@pytest.mark.slow
def test_learnt_levels_rise_between_their_ends():
    chosen = noise_schedules.Learned(-3.0, 4.0)
    params = chosen.init(jax.random.key(0))
    t = jnp.linspace(0, 1, 101)
    linear = noise_schedules.Linear(-3.0, 4.0)
    np.testing.assert_allclose(chosen.open(params)(t), linear(t), atol=0.1)
    shaken = jax.tree.map(lambda a: a + jax.random.normal(jax.random.key(1), a.shape), params)
    gamma = chosen.open(shaken)(t)
    assert (jnp.diff(gamma) > 0).all()
    np.testing.assert_allclose(gamma[::100], jnp.array([-3.0, 4.0]) + shaken["ends"], atol=1e-5)
    assert "ends" not in noise_schedules.Learned(ends=False).init(jax.random.key(0))


@pytest.mark.few(1)
@pytest.mark.parametrize("steps", quick([3, None], None))
@pytest.mark.slow
def test_what_the_bound_teaches_learnt_levels(steps):
    """In continuous time the ends only: its mean does not depend on the pace."""
    model = zoo.gaussian_diffusion("classes", steps)
    model = dataclasses.replace(model, levels=noise_schedules.Learned(-2.0, 2.0))
    params = zoo.parameters(model)
    loss = lambda params: model.elbo(params, jax.random.key(0), X).sum()  # noqa: E731
    grads = jax.jit(jax.grad(loss))(params)["levels"]
    moved = {name: max(abs(a).max() for a in jax.tree.leaves(g)) > 0 for name, g in grads.items()}
    assert moved == {"ends": True, "pace": steps is not None}


@pytest.mark.slow
def test_a_walk_ends_in_a_sample():
    model = zoo.gaussian_diffusion("classes", 4)
    params = zoo.parameters(model)
    times, states = zip(*model.walk(params, jax.random.key(0), (5, 2), frames=3), strict=True)
    assert times == (1.0, 0.5, 0.0)
    assert all(x.shape == (5, 2) and x.dtype == np.int32 for x in states)
    x = model.sample(params, jax.random.key(0), (2000, 2), steps=2)
    assert set(np.unique(x)) <= {0, 1, 2}


def of_parts(**parts):
    parts = dict(points=gaussian.one_hots(3), denoiser=zoo.Vectors(3)) | parts
    return models.GaussianDiffusion(**parts)


KEY, ENDLESS = jax.random.key(0), zoo.gaussian_diffusion("classes", None)
LEVELS = noise_schedules.Learned()
WIDE = of_parts(denoiser=zoo.Vectors(4), steps=None)
COLLAPSED = {"ends": jnp.array([12.0, -3.0])}
MISTAKES = {
    "A diffusion needs at least 1 step; got steps=0.": lambda: of_parts(steps=0),
    "needs a kernel with a derivative; Table has none": lambda: of_parts(
        steps=None, levels=noise_schedules.linear_betas(100)
    ),
    "Points are finite numbers (K, D); got shape (3,).": lambda: of_parts(points=np.arange(3.0)),
    "is one of small, large, range, learned; got 'big'.": lambda: of_parts(variance="big"),
    "In continuous time no variance of steps makes a difference": lambda: of_parts(
        steps=None, variance="range"
    ),
    "gives (9, 2, 3); Vectors gives (9, 2, 4). Build": lambda: jax.eval_shape(WIDE.init, KEY, X),
    "Use GaussianDiffusion(..., steps=1000)": lambda: ENDLESS.log_weight({}, KEY, X),
    "sampled in as many steps as you say": lambda: ENDLESS.sample({}, KEY, (2, 2)),
    "tells no such law of classes. Use NegativeElbo": lambda: objectives.CrossEntropy(
        zoo.gaussian_diffusion("noise", None)
    ).loss(zoo.drawn(zoo.gaussian_diffusion("noise", None), X), (), KEY, X),
    "eta must be in [0, 1]; got eta=2": lambda: gaussian.samplers.DDIM(eta=2.0),
    "γ = -log SNR rises from data to noise; got first=5": lambda: noise_schedules.Linear(5.0, 1.0),
    "β of noise in (0, 1); got 0.01 to 2. Use more": lambda: noise_schedules.linear_betas(10),
    "A table of γ has two levels or more, which rise": lambda: noise_schedules.Table(np.zeros(2)),
    "have collapsed: they go from 7 to 4": lambda: LEVELS.check(LEVELS.init(KEY) | COLLAPSED),
}


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_are_told(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MISTAKES[message]()
