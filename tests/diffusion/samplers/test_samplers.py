import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import base
from tests import enumeration, zoo

DRAWS = 20_000


def test_grid_descends_from_one_to_zero():
    np.testing.assert_array_equal(samplers.grid(4), [1, 0.75, 0.5, 0.25, 0])
    np.testing.assert_allclose(samplers.grid(4000), np.arange(4000, -1, -1) / 4000, rtol=2e-7)
    loop = samplers.PredictorCorrector(kind="loop", steps=8)  # stays in the midst
    np.testing.assert_allclose(loop.times(None), [1, 0.75, *[0.5] * 5, 0.25, 0])


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["uniform-cosine", "absorbing-linear", "walk"])
def test_parts_of_a_walk_follow_the_law_of_the_chain(name):
    """From noise, which is the prior; and from where they are put, as infilling and chains do."""
    model = zoo.diffusion(name, "table", 5)
    params, kernel = zoo.parameters(model), model.kernel

    @jax.jit
    def walk(rng, x, times):
        return samplers.Ancestral()(model.open(params), rng, x, times)

    def follows(x, start, times):
        assert x.dtype == jnp.int32
        law = enumeration.chain(model, params, start, times, zoo.LENGTH)
        enumeration.assert_drawn_from(enumeration.number(x, 3), law)

    first, second = np.array([1.0, 0.5, 0.1]), np.array([0.1, 0.04, 0.0])
    noise = kernels.draw_prior(kernel, jax.random.key(0), (DRAWS, zoo.LENGTH))
    prior = enumeration.prior(model, params, zoo.LENGTH)
    follows(noise, prior, [1.0])
    half = walk(jax.random.key(1), noise, first)
    follows(walk(jax.random.key(2), half, second), prior, [*first, *second[1:]])
    put = jnp.full((DRAWS, zoo.LENGTH), 2, jnp.int32)
    times = np.array([0.6, 0.4, 0.2])
    follows(walk(jax.random.key(3), put, times), np.eye(9)[8], times)
    x = jnp.array([[0, 1], [2, 0]])
    np.testing.assert_array_equal(walk(jax.random.key(0), x, jnp.array([0.5])), x)


KERNELS = {
    "uniform": kernels.uniform(schedules.cosine, 3),
    "augmented": kernels.AugmentedUniform(schedules.cosine, 3),
    "absorbing": kernels.absorbing(schedules.linear, 3),
    "random_masks": kernels.random_masks(kernels.absorbing(schedules.linear, 3), 2),
    "masks_and_uniform": kernels.masks_and_uniform(3, 0.2),
    "round": kernels.Generator(zoo.ROUND, schedules.linear),
    "gaussian": zoo.KERNELS["table-gaussian"],
}
HAS_ALPHA = ("uniform", "absorbing")


def pairs():
    """Each sampler with each kernel that it is for."""
    for name, sampler in zoo.SAMPLERS.items():
        for kind, kernel in KERNELS.items():
            needs_alpha = name.startswith("predictor_corrector-")
            if sampler.admits(kernel) and (kind in HAS_ALPHA or not needs_alpha):
                yield pytest.param(sampler, kernel, id=f"{name}-{kind}")


CORRELATED = certificates.correlated()
OF_THREE = np.random.default_rng(0).dirichlet(np.full(27, 0.3)).reshape(3, 3, 3)


@functools.cache
def certified(kernel):
    """The process of the exact guess."""
    return certificates.exact(kernel, CORRELATED)


def far(sampler, kind, data=CORRELATED):
    """How far what a sampler draws with the exact guess is from the data: float64."""
    with jax.enable_x64(True):
        process = certificates.exact(KERNELS[kind], data)
        return certificates.distance(certificates.law(sampler, process, data.ndim, None), data)


@pytest.mark.few(1)
@pytest.mark.parametrize(("sampler", "kernel"), list(pairs()))
def test_draws_follow_the_enumerated_law(sampler, kernel):
    process = certified(kernel)

    @jax.jit
    def draw(rng):
        rng_noise, rng = jax.random.split(rng)
        x = kernels.draw_prior(kernel, rng_noise, (DRAWS, 2))
        return sampler(process, rng, x, sampler.times(None))

    x = np.asarray(draw(jax.random.key(0)))
    assert x.dtype == np.int32
    assert (x < 3).mean() > 0.999  # but for what a step of noise may leave
    law = certificates.law(sampler, process, 2, None)
    enumeration.assert_drawn_from(enumeration.number(x[(x < 3).all(axis=1)], 3), law.ravel())


EXACT = ("first_hitting", "confidence", "confidence-random", "confidence-left", "entropy_bound")
EXACT += ("dilated",)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("data", [CORRELATED, OF_THREE], ids=["2", "3"])
def test_exact_samplers_have_the_law_of_the_data(name, data):
    assert far(zoo.SAMPLERS[name], "absorbing", data) < 1e-6


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["ancestral", "tau_leaping", "euler"])
@pytest.mark.parametrize(
    "kind", ["uniform", "augmented", "absorbing", "masks_and_uniform", "round"]
)
def test_convergent_samplers_near_it_as_steps_shorten(name, kind):
    of = functools.partial(dataclasses.replace, zoo.SAMPLERS[name])
    assert far(of(steps=64), kind) < far(of(steps=16), kind) / 3 < 0.1


def test_first_hitting_leaves_the_masks_that_the_process_has():
    """Every token by itself is still a mask with 1 - α_end of 1 - α_begin, whatever the guess."""
    kernel, length = kernels.absorbing(schedules.polynomial(2.0), 3), 3
    process = blind(kernel, [0.5, 0.2, 0.3, 0.0])
    noise = jnp.full((DRAWS, length), 3)
    walk = jax.jit(functools.partial(samplers.FirstHitting(), process))
    masked = np.asarray(walk(jax.random.key(0), noise, jnp.array([0.7, 0.3]))) == 3
    left = (0.3 / 0.7) ** 2  # 1 - α = t²
    every = enumeration.sequences(2, length)
    law = np.where(every, left, 1 - left).prod(axis=1)
    enumeration.assert_drawn_from(enumeration.number(masked, 2), law)


def blind(kernel, guess):
    """The process of one guess (K,), whatever is seen."""
    guess = jnp.asarray(guess, jnp.float32)
    predict = lambda x_t, t, rng=None: jnp.broadcast_to(guess, (*x_t.shape, len(guess)))  # noqa: E731
    return Process(kernel, predict)


def test_greedy_is_for_the_last_step_alone():
    """Half of the masks go in the first of two steps, by chance; the others become class 0."""
    process = blind(KERNELS["absorbing"], [0.5, 0.2, 0.3, 0.0])
    walk = jax.jit(functools.partial(samplers.Ancestral(steps=2, greedy=True), process))
    x = walk(jax.random.key(0), jnp.full((DRAWS, 2), 3), jnp.array([1.0, 0.5, 0.0]))
    enumeration.assert_drawn_from(x, [0.75, 0.1, 0.15])


def test_each_correction_draws_one_token_anew_at_a_place_of_its_own():
    """After two of them two places of four have changed, or one in one of four rows."""
    process = blind(KERNELS["uniform"], [0.5, 0.5, 0.0])
    x, zero = jnp.full((DRAWS, 4), 2), jnp.zeros(DRAWS)
    settle = jax.jit(functools.partial(samplers.Ancestral(corrections=2).settled, process))
    result = np.asarray(settle(jax.random.key(0), process.predict(x, zero), x, x, zero, zero))
    enumeration.assert_drawn_from((result != 2).sum(axis=1), [0, 1 / 4, 3 / 4])
    for place in range(4):
        enumeration.assert_drawn_from(result[:, place], [7 / 32, 7 / 32, 9 / 16])


SURE = [[0.25, 0.25, 0.25, 0.25], [0.6, 0.2, 0.2, 0], [0.58, 0.14, 0.14, 0.14], [0.55, 0.45, 0, 0]]


def test_the_surest_token_goes_first():
    """Of four tokens, of which each is that by one measure; and of those masked only."""
    measures = ("left", "probability", "margin", "entropy")
    each = [samplers.Confidence(steps=3, by=by) for by in measures]
    assert each[0].count(4) == 2  # so that three calls are enough
    p_0, masked = jnp.array([SURE, SURE]), np.ones((4, 2, 4), bool)
    masked[range(4), 1, range(4)] = False

    @jax.jit
    def chosen(rng):
        one = jnp.full(2, 1)
        return [s.chosen(rng, p_0, m, one) for s, m in zip(each, masked, strict=True)]

    result = np.asarray(chosen(jax.random.key(0)))
    np.testing.assert_array_equal(result[:, 0], np.eye(4))
    assert (result[:, 1].sum(axis=1) == 1).all()
    assert not result[range(4), 1, range(4)].any()


def test_entropies_but_for_the_largest_sum_to_gamma():
    """They are 1.39, 0.95, 1.14 and 0.69: tokens are taken from the least on."""
    cases = {0.0: [3], 0.68: [3], 0.7: [1, 3], 1.7: [1, 2, 3], 9.0: range(4)}
    p_0, masked, most = jnp.array([SURE]), jnp.ones((1, 4), bool), jnp.full(1, 4)

    @jax.jit
    def chosen(rng):
        each = [samplers.EntropyBound(gamma=gamma) for gamma in cases]
        return [sampler.chosen(rng, p_0, masked, most)[0] for sampler in each]

    for result, expected in zip(chosen(jax.random.key(0)), cases.values(), strict=True):
        np.testing.assert_array_equal(np.flatnonzero(result), expected)


@pytest.mark.parametrize(
    ("kind", "eta", "share"),
    [("constant", 0.3, 0.3), ("cap", 0.3, 1.5), ("cap", 0.7, 2.0), ("rescale", 0.5, 1.0)],
)
def test_what_is_made_noise_by_hand(kind, eta, share):
    """σ / (1 - α_s) with α_s = 0.8, α_t = 0.5: σ_max = 0.2 / 0.5; at most 1 without masks."""
    sampler = samplers.PredictorCorrector(kind=kind, eta=eta)
    s, t = jnp.array([0.2]), jnp.array([0.5])
    np.testing.assert_allclose(sampler.share(KERNELS["absorbing"], s, t), share, rtol=1e-5)
    uniform = kernels.uniform(schedules.linear, 3)
    np.testing.assert_allclose(sampler.share(uniform, s, t), min(share, 1.0), rtol=1e-5)
    loop = samplers.PredictorCorrector(kind="loop", eta=eta)
    np.testing.assert_allclose(loop.share(uniform, s, t), 0)
    np.testing.assert_allclose(loop.share(uniform, t, t), min(1, eta / 0.5), rtol=1e-5)


def test_steps_by_rates_take_those_of_their_middle():
    """Masks at α = 1 - t go at the rate 1 / t; in the last step all of them, by the guess."""
    p = np.array([0.5, 0.2, 0.3, 0.0], np.float32)
    process, guess = blind(KERNELS["absorbing"], p), jnp.tile(p, (2, 1, 1))
    x, s, t = jnp.full((2, 1), 3), jnp.array([0.3, 0.0]), jnp.full(2, 0.5)
    chance = 0.2 / 0.4  # from 0.5 to 0.3
    for sampler, move in (
        (samplers.Euler(), chance),
        (samplers.TauLeaping(), chance * np.exp(-chance)),
    ):
        law = jax.jit(functools.partial(sampler.law, process))
        middle, last = law(guess, x, s, t)[:, 0]
        np.testing.assert_allclose(middle, move * p + (1 - move) * np.eye(4)[3], rtol=1e-4)
        np.testing.assert_allclose(last, p, rtol=1e-5)


def test_remasking_takes_back_the_least_sure_first():
    """In proportion to exp(-ψ), η σ_max = 0.5 (1 - α_s) / α_t in all; what is given stays."""
    process = blind(KERNELS["absorbing"], [0.5, 0.2, 0.3, 0.0])
    process = dataclasses.replace(process, given=jnp.array([[-1, -1, -1], [0, -1, -1]]))
    sampler, sure = samplers.Remasking(eta=0.5), jnp.array([[0.2, 0.9, 0]] * 2)
    x, s, t = jnp.array([[0, 1, 3]] * 2), jnp.full(2, 0.2), jnp.full(2, 0.7)
    law = jax.jit(lambda s, t: sampler.law(process, sampler.guess(process, x, t), x, s, t, sure))
    result, held = np.asarray(law(s, t))
    back = 0.5 * 0.2 / 0.3 * np.exp([-0.2, -0.9]) / np.exp([-0.2, -0.9]).sum()
    np.testing.assert_allclose(result[:2, 3], back, rtol=1e-5)
    np.testing.assert_allclose([result[0, 0], result[1, 1]], 1 - back, rtol=1e-5)
    np.testing.assert_allclose(held[:2, 3], [0, 0.5 * 0.2 / 0.3], rtol=1e-5)  # one is given
    np.testing.assert_allclose(result[2], [*(5 / 7 * np.array([0.5, 0.2, 0.3])), 2 / 7], rtol=1e-5)


@pytest.mark.slow
def test_errors_of_samplers_are_as_their_docstrings_say():
    assert far(samplers.DNDM(), "absorbing") < 1e-6
    assert far(samplers.DNDM(), "uniform") == pytest.approx(0.0988, abs=1e-3)
    for steps, error in ((16, 0.0613), (64, 0.0302)):
        assert far(samplers.Remasking(steps=steps), "absorbing") == pytest.approx(error, abs=1e-3)
    ancestral = far(samplers.Ancestral(steps=16), "absorbing")
    none = far(samplers.Remasking(steps=16, eta=0.0), "absorbing")
    assert none == pytest.approx(ancestral, rel=1e-6)
    plain, mended = (
        far(samplers.Ancestral(steps=8, corrections=n), "uniform", OF_THREE) for n in (0, 3)
    )
    assert mended < plain / 10


class Telling(samplers.Remasking):
    """Reveals class 2 or 3 of ten, masks the second token again, and then shows ψ as a class."""

    def law(self, process, p_0, x_t, s, t, sure):
        revealed = jnp.array([[2, 3]])
        shown = jnp.round(10 * sure).astype(jnp.int32)
        after = {0.75: revealed, 0.5: revealed.at[0, 1].set(10), 0.25: jnp.array([[5, 4]])}
        now = sum(jnp.where(s[0] == at, x, 0) for at, x in (after | {0.0: shown}).items())
        return jax.nn.one_hot(now, 11)


def test_remasking_remembers_the_probability_at_which_a_token_was_revealed():
    """The first by what it was at first, though it became another; the second anew."""
    guess = np.zeros((1, 2, 11), np.float32)
    guess[0, 0, 2:4], guess[0, 1, 3:5] = (0.3, 0.7), (0.2, 0.8)
    process = Process(kernels.absorbing(schedules.linear, 10), lambda x_t, t, rng=None: guess)

    @jax.jit
    def walks(rng):
        times = samplers.grid(4)
        whole = Telling()(process, rng, jnp.full((1, 2), 10), times)
        return whole, Telling()(process, rng, jnp.array([[7, 10]]), times[2:])

    whole, half = walks(jax.random.key(0))
    np.testing.assert_array_equal(whole, [[3, 8]])
    np.testing.assert_array_equal(half, [[10, 8]])  # of the first nothing is known: 1


def test_sharpened_guesses():
    p = jnp.array([[0.5, 0.3, 0.15, 0.05, 0.0]])
    cases = {  # temperature and top_p -> law
        (0.5, 1.0): np.array([25, 9, 2.25, 0.25, 0]) / 36.5,
        (1.0, 0.79): [0.625, 0.375, 0, 0, 0],
        (1.0, 0.81): np.array([50, 30, 15, 0, 0]) / 95,
        (0.01, 1.0): [1, 0, 0, 0, 0],
    }
    results = jax.jit(lambda p: [base.tempered(p, *numbers) for numbers in cases])(p)
    np.testing.assert_allclose(np.concatenate(results), [*cases.values()], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: samplers.Ancestral(temperature=0.0), "temperature must be above 0; got"),
        (lambda: samplers.Confidence(temperature=-1.0), "temperature must be above 0; got"),
        (lambda: samplers.DNDM(top_p=0.0), r"top_p must be in \(0, 1\]; got top_p=0"),
        (lambda: samplers.Euler(top_p=1.1), r"top_p must be in \(0, 1\]; got top_p=1.1"),
        (lambda: samplers.Confidence(by="luck"), "one of probability, .*; got by=luck"),
        (lambda: samplers.PredictorCorrector(kind="flat"), "one of constant, .*; got kind=flat"),
        (lambda: samplers.PredictorCorrector(eta=1.5), r"eta must be in \[0, 1\]"),
        (lambda: samplers.Remasking(eta=-0.1), r"eta must be in \[0, 1\]; got eta=-0.1"),
        (lambda: samplers.Dilated(steps=0), "steps must be at least 1"),
        (lambda: samplers.EntropyBound(gamma=-1.0), "gamma must be at least 0"),
        (lambda: samplers.TauLeaping(steps=0), "steps must be at least 1"),
        (lambda: samplers.Ancestral(corrections=-1), "corrections must be at least 0"),
        (lambda: samplers.Guided(-1.0), "guidance must be at least 0; got guidance=-1"),
        (lambda: samplers.Guided(float("nan")), "guidance must be finite"),
        (lambda: samplers.Guided(reveal="right"), "reveal is one of random, left; got"),
        (lambda: samplers.Guided(particles=0), "particles must be at least 1; got particles=0"),
        (lambda: samplers.Twisted(len, 0), "particles must be at least 1; got particles=0"),
        (
            lambda: samplers.Twisted(len, walk=samplers.Remasking()),
            "from step to step; got Remasking. Use Ancestral",
        ),
    ],
)
def test_numbers_out_of_range_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_a_sampler_that_the_kernel_does_not_admit_names_those_that_it_does():
    names = ("uniform-cosine", "walk", "absorbing-linear")
    uniform, walk, masks = (zoo.diffusion(name, "table", 5) for name in names)
    params, rng, shape = zoo.parameters(uniform), jax.random.key(0), (1, 2)
    for name in ("first_hitting", "remasking"):
        sampler = zoo.SAMPLERS[name]
        with pytest.raises(ValueError, match=f"{name} is not for .* are ancestral, tau_"):
            uniform.sample(params, rng, shape, sampler=sampler)
        with pytest.raises(ValueError, match=f"{name} is not for .* are ancestral, tau_"):
            next(uniform.walk(params, rng, shape, sampler=sampler))
    with pytest.raises(ValueError, match="kind=cap is for .* α"):
        walk.sample(params, rng, shape, sampler=zoo.SAMPLERS["predictor_corrector-cap"])
    with pytest.raises(ValueError, match="first_hitting takes no steps: leave steps=4 out"):
        masks.sample(params, rng, shape, 4, samplers.FirstHitting())


def test_a_model_offers_what_it_declares_first_and_then_the_librarys():
    kernel = zoo.KERNELS["absorbing-linear"]
    quick = samplers.Ancestral(steps=2)
    model = models.Diffusion(kernel, zoo.Table(3), 5, samplers=(quick,))
    assert model.samplers[0] is quick
    names = [sampler.name for sampler in model.samplers]
    assert len(names) == len(set(names)) == 10
    assert [s.name for s in dataclasses.replace(model, steps=4).samplers] == names
    assert model.samplers[2] == samplers.Euler(steps=2)  # as many as the first
