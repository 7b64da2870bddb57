import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.diffusion.process import Process
from amd_jax.ops import categorical
from tests import enumeration, zoo
from tests.variants import quick


@pytest.fixture(params=quick(zoo.KERNELS, *zoo.FAMILIES))
def kernel(request):
    return zoo.KERNELS[request.param]


def guesses(kernel, seed=0):
    """A guess, spread over the data states, for each of the K² pairs (x_0, x_t): (1, K², K)."""
    rng = np.random.default_rng(seed)
    p_0 = rng.random((1, len(kernel.prior) ** 2, len(kernel.prior))) + 0.05
    p_0[..., kernel.num_classes :] = 0
    return jnp.asarray(p_0 / p_0.sum(axis=-1, keepdims=True), jnp.float32)


def compiled(form, kernel):
    """A term of the bound as one program."""
    return jax.jit(functools.partial(form, kernel))


@pytest.mark.few(1)
@pytest.mark.parametrize("i", [1, 2, 50, 2000, 3999, 4000])
def test_closed_form_keeps_its_digits_at_small_steps(i):
    """K = 256, T = 4000 against float64, where KL and probabilities are tiny."""
    states, steps = 256, 4000
    kernel = kernels.uniform(schedules.cosine, states)
    rng = np.random.default_rng(0)
    p_0 = rng.dirichlet(np.full(states, 0.3), size=4) + 1e-5
    p_0 = (p_0 / p_0.sum(axis=-1, keepdims=True)).astype(np.float32)
    x_0, x_t = np.array([3, 3, 7, 7]), np.array([3, 9, 7, 200])

    log_alpha = np.float64(schedules.cosine(jnp.array([i - 1, i]) / steps))
    result = compiled(bounds.discrete, kernel)(
        x_0[None],
        p_0[None],
        x_t[None],
        jnp.array([(i - 1) / steps]),
        jnp.array([i / steps]),
    )

    def posterior(p_0):
        keep = np.exp(log_alpha[1] - log_alpha[0])
        likelihood = keep * np.eye(states)[x_t] - np.expm1(log_alpha[1] - log_alpha[0]) / states
        joint = likelihood * (np.exp(log_alpha[0]) * p_0 - np.expm1(log_alpha[0]) / states)
        return joint / joint.sum(axis=-1, keepdims=True)

    expected = enumeration.kl(posterior(np.eye(states)[x_0]), posterior(p_0.astype(np.float64)))
    np.testing.assert_allclose(result[0], expected, rtol=5e-3, atol=3e-7)


@pytest.mark.few(1)
@pytest.mark.parametrize(("s", "t"), [(0.001, 0.002), (0.5, 0.501), (0.9, 0.901)])
def test_a_small_step_without_the_own_token_keeps_its_digits(kernel, s, t):
    """In the form for any kernel, beside the same in float64."""
    form = bounds.leave_one_out.dispatch(object)
    clean = jnp.arange(kernel.num_classes)[None]
    p_0 = guesses(kernel)[:, : kernel.num_classes]
    result = compiled(form, kernel)(clean, p_0, jnp.array([s]), jnp.array([t]))
    with jax.enable_x64(True):
        times = (jnp.array([np.float64(np.float32(time))]) for time in (s, t))
        exact = compiled(form, kernel)(clean, np.asarray(p_0, np.float64), *times)
    np.testing.assert_allclose(result, exact, rtol=1e-4, atol=1e-9)


SMOOTH = [name for name in zoo.KERNELS if name.split("-")[-1] not in zoo.ROUGH]


@pytest.mark.few(1)
@pytest.mark.parametrize("t", [0.05, 0.5, 0.9])
def test_rate_of_masks_is_the_weighted_cross_entropy(t):
    """-α' / (1 - α) of the masked tokens' cross-entropy, and nothing for the others (M5)."""
    kernel, time = kernels.absorbing(schedules.polynomial(2.0), 3), jnp.array([t])
    p_0 = jnp.array([0.2, 0.5, 0.3, 0.0])
    x_0, x_t = jnp.array([[0, 1, 2, 1, 2]]), jnp.array([[3, 3, 3, 1, 2]])
    result = compiled(bounds.rate, kernel)(x_0, jnp.broadcast_to(p_0, (1, 5, 4)), x_t, time)[0]
    expected = 2 / t * -np.log(np.array([0.2, 0.5, 0.3]))  # α = 1 - t²
    np.testing.assert_allclose(result[:3], expected, rtol=1e-5)
    np.testing.assert_allclose(result[3:], 0, atol=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(SMOOTH, *zoo.FAMILIES))
@pytest.mark.parametrize("t", quick([0.2, 0.7], 0.7))
def test_the_divergence_falls_by_the_expected_rate(name, t):
    """For one guess for all x_t, as of a network that does not see it."""
    kernel = zoo.KERNELS[name]
    states, classes = len(kernel.prior), kernel.num_classes
    with jax.enable_x64(True):
        x_0, x_t = (a.reshape(1, -1) for a in np.indices((states, states)))
        weight = enumeration.matrix(kernel, 0.0, t)
        p_0 = jnp.repeat(guesses(kernel)[:, :states].astype(np.float64), states, axis=1)
        rates = compiled(bounds.rate, kernel)(x_0, p_0, x_t, jnp.array([t]))
        rates = rates.reshape(states, states)
        clean, guess = jnp.arange(classes)[None], p_0[:, ::states][:, :classes]
        divergence = functools.partial(compiled(bounds.divergence, kernel), clean, guess)
        _, slope = jax.jvp(divergence, (jnp.array([t]),), (jnp.ones(1),))
    expected = np.where(weight > 0, weight * np.asarray(rates), 0).sum(axis=1)[:classes]
    np.testing.assert_allclose(-slope[0], expected, rtol=1e-6)


@functools.partial(jax.jit, static_argnums=(0, 5))
def expected_terms(model, params, x, s, t, steps):
    """E over x_t of the bound's terms between times s and t (N,), or of its rate: (N, B)."""
    process = model.open(params)
    every = enumeration.sequences(len(process.kernel.prior), x.shape[1])
    n, b, e = (i.ravel() for i in np.indices((len(s), len(x), len(every))))
    rows, x_t, s, t = jnp.asarray(x)[b], jnp.asarray(every)[e], s[n], t[n]
    clean = categorical.one_hot(rows, len(process.kernel.prior))
    law = process.kernel.push(clean, jnp.zeros_like(t), t)
    weight = jnp.prod(categorical.gather(law, x_t), axis=1)
    if steps is None:
        terms = bounds.rate_of(process, None, rows, x_t, t)
    else:
        terms = bounds.term_of(process, None, rows, x_t, s, t)
    terms = jnp.where(weight > 0, weight * terms, 0.0)
    return terms.reshape(-1, len(x), len(every)).sum(axis=-1)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("name", "denoiser"),
    [(name, "hollow_table") for name in SMOOTH]
    + [(name, "table") for name in SMOOTH if name in zoo.FAMILIES],
)
@pytest.mark.slow
def test_the_bound_of_a_thousand_steps_is_the_continuous_one(name, denoiser):
    """Both enumerated over x_t, to 1 %, whether the network sees the own token or not."""
    with jax.enable_x64(True):
        model = zoo.diffusion(name, denoiser, 1000)
        params = zoo.parameters(model, scale=0.3)
        x = enumeration.sequences(model.kernel.num_classes, zoo.LENGTH)
        nodes, weights = np.polynomial.legendre.leggauss(8)
        u = ((np.arange(100)[:, None] + (nodes + 1) / 2) / 100).ravel()
        slope = np.pi * np.sin(np.pi * u / 2) * np.cos(np.pi * u / 2)
        t = np.sin(np.pi * u / 2) ** 2  # finer towards both ends, where a rate may have a pole
        rates = expected_terms(model, params, x, t, t, None) * slope[:, None]
        endless = (rates.reshape(100, 8, -1) * weights[:, None]).sum(axis=(0, 1)) / 200

        i = np.arange(1, 1001)
        many = expected_terms(model, params, x, (i - 1) / 1000, i / 1000, 1000).sum(axis=0)
    assert np.min(many) > 0.05
    np.testing.assert_allclose(many, endless, rtol=0.01)


@pytest.mark.slow
def test_the_rate_of_noise_in_sight_is_that_of_its_authors():
    """λ E 1[x_t = u] (1 - d(u) - 1[x_0 ≠ u] (1 + log d(x_0))), λ = -α' / (1 - α), over x_t.

    d is the guess with the own token's evidence (Gourevitch et al., 2026).
    """
    with jax.enable_x64(True):
        kernel, time, p = zoo.KERNELS["augmented"], jnp.array([0.4]), np.array([0.3, 0.7])
        log_alpha, slope = jax.jvp(kernel.schedule, (time,), (jnp.ones(1),))
        alpha, slope = float(jnp.exp(log_alpha)[0]), float((jnp.exp(log_alpha) * slope)[0])
        expected = 0.0
        for u, same in ((0, 1 / 2), (1, (1 - alpha) / 2)):  # x_0 = 0; the chance that x_t = u
            d = p * np.where(np.arange(2) == u, 1.0, 1 - alpha)
            d /= d.sum()
            expected += same * (1 - d[u] - (u != 0) * (1 + np.log(d[0])))
        expected *= -slope / (1 - alpha)

        guess = jnp.broadcast_to(jnp.asarray([*p, 0.0, 0.0]), (1, 4, 4))
        x, every = jnp.zeros((1, 4), int), jnp.arange(4)[None]
        process = Process(kernel, lambda x_t, t, rng=None: guess, leave_one_out=True)
        rate_of = jax.jit(functools.partial(bounds.rate_of, process))
        exact = rate_of(jax.random.key(0), x, every, time) / 4
        drawn = compiled(bounds.rate, kernel)(x, guess, every, time)
        weights = kernel.push(categorical.one_hot(x[:, :1], 4), 0 * time, time)[0, 0]
    assert exact[0] == pytest.approx(expected, rel=1e-9)
    assert (drawn[0] * weights).sum() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["masks_and_uniform", "uniform-cosine"])
@pytest.mark.slow
def test_times_are_drawn_so_that_the_mean_stays_and_the_variance_is_small(name):
    """By quadrature over u; plainly drawn, a rate with a pole at t = 0 has no variance."""
    with jax.enable_x64(True):
        model = zoo.diffusion(name, "hollow_table", None)
        params = zoo.parameters(model, scale=0.3)
        x = enumeration.sequences(model.kernel.num_classes, zoo.LENGTH)[:1]

        def moments(n, draw):
            t, slope = draw(jnp.asarray((np.arange(n) + 0.5) / n))
            terms = expected_terms(model, params, x, t, t, None)[:, 0] * slope
            return terms.mean(), (terms**2).mean()

        paced = functools.partial(kernels.paced, model.kernel)
        plain = lambda u: (u, jnp.ones_like(u))  # noqa: E731
        (coarse, _), (fine, _) = moments(500, paced), moments(8000, paced)
        np.testing.assert_allclose(coarse, fine, rtol=5e-3)
        squares = [moments(n, draw)[1] for draw in (plain, paced) for n in (500, 8000)]
    plain_growth, paced_growth = squares[1] / squares[0], squares[3] / squares[2]
    assert abs(paced_growth - 1) < 0.03
    if name == "uniform-cosine":
        assert squares[:2] == squares[2:]
    else:
        assert plain_growth > 1.1


P_0 = np.array([0.2, 0.45, 0.35])
ROW = np.array([0, 2, 1])  # of tokens
GIVEN = np.array([-1, 2, -1])


def constant(kernel):
    """The process of one guess whatever is seen; noise states, the last, have no share of it."""
    p_0 = np.pad(P_0[: kernel.num_classes], (0, len(kernel.prior) - kernel.num_classes))
    guess = jnp.asarray(p_0 / p_0.sum(), jnp.float32)
    predict = lambda x_t, t, rng=None: jnp.broadcast_to(guess, (*x_t.shape, len(guess)))  # noqa: E731
    return Process(kernel, predict, leave_one_out=True), p_0 / p_0.sum()


def telescoped(name):
    """The process of a constant guess, with a token given if `name` says so, a row, and its bound.

    Of each token Σ D(s) - D(t) = D(0) - D(1): log p_0(x) + …
    """
    kernel = zoo.KERNELS[name.removesuffix("-given")]
    (process, p_0), x = constant(kernel), np.minimum(ROW, kernel.num_classes - 1)
    end = enumeration.matrix(kernel, 0.0, 1.0)
    left = enumeration.kl(end[x], p_0 @ end)  # D(1), of which no step tells
    nats = np.log(p_0[x]) + left - enumeration.kl(end[x], np.asarray(kernel.prior, np.float64))
    if not name.endswith("-given"):
        return process, x, nats.sum()
    return process.holding(jnp.asarray(GIVEN)), x, nats[GIVEN < 0].sum()


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["uneven-unfinished", "uneven-unfinished-given", "walk-given"])
def test_the_bound_of_a_constant_guess_telescopes(name):
    """With no chance but that of times: every step as often as another, and the prior's term.

    Of what is given there is nothing.
    """
    process, row, exact = telescoped(name)
    times = jnp.array([1.0, 0.7, 0.2, 0.0])

    @jax.jit
    def both(x):
        return (
            bounds.elbo(process, jax.random.key(0), x, 10),
            bounds.elbo_of_all_steps(process, jax.random.key(0), x[:2], times),
        )

    drawn, all_steps = both(jnp.tile(row, (40, 1)))
    assert len(np.unique(np.round(drawn, 4))) > 5  # steps differ, and all rows are one
    assert drawn.mean() == pytest.approx(exact, rel=2e-4)
    np.testing.assert_allclose(all_steps, exact, rtol=2e-4)


@pytest.mark.slow
def test_weights_of_a_constant_guess_have_the_mean_of_its_chain():
    """Token by token, from the prior by Bayes' rule; of what is given there is nothing."""
    kernel, steps = zoo.KERNELS["uneven-unfinished"], 2
    process, p_0 = constant(kernel)
    law = np.asarray(kernel.prior, np.float64)
    for s, t in ((0.5, 1.0), (0.0, 0.5)):
        law = law @ enumeration.bayes(kernel, p_0, np.arange(3), s, t)
    exact = law[ROW][GIVEN < 0].prod()
    process = process.holding(jnp.asarray(GIVEN))
    weigh = jax.jit(functools.partial(bounds.log_weight, process, steps=steps))
    p = np.exp(weigh(jax.random.key(0), jnp.tile(ROW, (20_000, 1))))
    error = p.std() / len(p) ** 0.5
    assert error < 0.01 * exact
    assert abs(p.mean() - exact) < 5 * error


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["walk-given", "masks_and_uniform"])
def test_so_it_does_in_continuous_time_at_any_pace(name):
    """By as many times that it is a quadrature: those that a pace makes rare count for more."""
    process, row, exact = telescoped(name)
    x = jnp.tile(row, (20_000, 1))
    drawn = jax.jit(functools.partial(bounds.continuous, process))(jax.random.key(0), x)
    assert drawn.mean() == pytest.approx(exact, rel=1e-3)


def test_the_steps_of_a_bound_have_noise_of_their_own():
    """So that their variances add up: a token that is masked at 0.4 is not for that so at 0.6."""
    process, p_0 = constant(zoo.KERNELS["absorbing-linear"])
    process = dataclasses.replace(process, leave_one_out=False)
    x, times = jnp.zeros((40_000, 1), jnp.int32), jnp.array([1.0, 0.6, 0.4, 0.0])
    result = jax.jit(functools.partial(bounds.elbo_of_all_steps, process))(
        jax.random.key(0), x, times
    )
    nats = -np.log(p_0[0])
    variance = sum(t * (1 - t) * (nats * (t - s) / t) ** 2 for s, t in ((0.4, 0.6), (0.0, 0.4)))
    np.testing.assert_allclose(result.mean(), -nats, atol=5 * (variance / 40_000) ** 0.5)
    np.testing.assert_allclose(result.var(), variance, rtol=0.05)


def test_continuous_time_needs_a_derivative():
    for name, culprit in (("uniform-tabulated", "Table"), ("table-banded", "Tabulated")):
        with pytest.raises(ValueError, match=f"a derivative; {culprit} has none"):
            models.Diffusion(zoo.KERNELS[name], zoo.Table(3), steps=None)
    with pytest.raises(ValueError, match="a divisor of 10; got steps=4. Use steps=10"):
        models.Diffusion(zoo.KERNELS["table-banded"], zoo.Table(3), steps=4)
    model = models.Diffusion(zoo.KERNELS["uniform-cosine"], zoo.Table(3), steps=None)
    params = zoo.parameters(model)
    with pytest.raises(ValueError, match="continuous time has none"):
        model.log_weight(params, jax.random.key(0), jnp.zeros((1, 2), jnp.int32))
    with pytest.raises(ValueError, match="in as many steps as you say"):
        model.sample(params, jax.random.key(0), (1, 2))
    assert model.sample(params, jax.random.key(0), (1, 2), steps=3).shape == (1, 2)


WAYS = {  # of a bound: process, key, rows -> nats
    "elbo": functools.partial(bounds.elbo, steps=10),
    "all": functools.partial(bounds.elbo_of_all_steps, times=np.linspace(1, 0, 4, dtype="f")),
    "continuous": bounds.continuous,
    "log_weight": functools.partial(bounds.log_weight, steps=10),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", WAYS)
def test_bounds_used_alone_refuse_tokens_of_no_class(name):
    way = functools.partial(WAYS[name], constant(zoo.KERNELS["uniform-linear"])[0])
    x = np.array([[0, -1, 1], [0, 3, 1], [7, 0, 1], [0, 1, 2]])
    nats = jax.jit(way)(jax.random.key(0), x)
    assert np.isnan(nats).tolist() == [True, True, True, False]
    for row, token in zip(x, (-1, 3, 7), strict=False):
        with pytest.raises(ValueError, match=rf"Tokens must be in \[0, 3\); got {token}"):
            way(jax.random.key(0), row[None])
