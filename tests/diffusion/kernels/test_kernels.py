import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg

from amd_jax.diffusion import kernels, schedules
from amd_jax.diffusion.kernels import rate_matrices, tables
from amd_jax.ops import categorical
from tests import enumeration, typechecker, zoo
from tests.variants import quick

GRID = [(0.0, 0.1), (0.0, 1.0), (0.2, 0.3), (0.3, 0.7), (0.9, 1.0)]  # on the tables' grids


@pytest.fixture(params=quick(zoo.KERNELS, *zoo.FAMILIES))
def kernel(request):
    return zoo.KERNELS[request.param]


@pytest.fixture(
    params=["uniform-cosine", "absorbing-linear", "uneven-cosine", "birth_death-cosine", "walk"]
)
def each_family(request):
    return zoo.KERNELS[request.param]


def times(s, t, n=1):
    return np.full(n, s, np.float32), np.full(n, t, np.float32)


def compiled(f, kernel):
    return jax.jit(functools.partial(f, kernel))


@pytest.mark.few(2)
def test_rows_sum_to_one_and_are_pushed_and_looked_up_alike(kernel):
    """And no time leaves everything as it is."""
    every, likelihood = np.arange(len(kernel.prior))[None], jax.jit(kernel.likelihood)
    for s, t in GRID:
        rows = enumeration.matrix(kernel, s, t)
        assert (rows >= 0).all()
        np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)
        columns = likelihood(every, *times(s, t))[0]  # [x_t, x_s]
        np.testing.assert_allclose(columns.T, rows, rtol=1e-5)
        np.testing.assert_allclose(enumeration.matrix(kernel, t, t), np.eye(len(rows)), atol=1e-7)


@pytest.mark.few(2)
def test_chapman_kolmogorov(kernel):
    for r, s, t in [(0.0, 0.1, 0.2), (0.0, 0.3, 1.0), (0.2, 0.5, 0.6), (0.5, 0.9, 1.0)]:
        product = enumeration.matrix(kernel, r, s) @ enumeration.matrix(kernel, s, t)
        np.testing.assert_allclose(enumeration.matrix(kernel, r, t), product, rtol=1e-5, atol=1e-7)


def test_law_at_the_end_is_the_prior(kernel):
    assert np.sum(kernel.prior) == pytest.approx(1)
    end = enumeration.matrix(kernel, 0.0, 1.0)
    if kernel not in [zoo.KERNELS[name] for name in zoo.UNFINISHED]:
        if isinstance(kernel, kernels.AugmentedUniform):  # whose noise stays what it is
            np.testing.assert_array_equal(end[kernel.num_classes :, : kernel.num_classes], 0)
            end = end[: kernel.num_classes]
        np.testing.assert_allclose(end, np.tile(kernel.prior, (len(end), 1)), atol=0.01)


MIXING = [name for name, kernel in zoo.KERNELS.items() if isinstance(kernel, kernels.Mixing)]


@pytest.mark.few(3)
@pytest.mark.parametrize("name", MIXING)
def test_mixing_by_hand(name):
    kernel = zoo.KERNELS[name]
    if name.startswith(("uniform", "absorbing")):
        is_uniform, states = name.startswith("uniform"), len(kernel.prior)
        prior = np.full(states, 1 / states) if is_uniform else np.eye(states)[-1]
        np.testing.assert_allclose(kernel.prior, prior)
        assert kernel.num_classes == states - 1 + is_uniform
    for s, t in GRID:
        alpha = np.exp(np.diff(np.asarray(kernel.schedule(jnp.array([s, t])), np.float64)))[0]
        expected = alpha * np.eye(len(kernel.prior)) + (1 - alpha) * np.asarray(kernel.prior)
        np.testing.assert_allclose(enumeration.matrix(kernel, s, t), expected, rtol=1e-5)


@pytest.mark.slow
def test_noise_in_sight_leaves_the_law_of_uniform_noise():
    """And shows data for what they are; after time 0 no token turns out to be its own noise."""
    k = 3
    beside, alone = (
        make(schedules.cosine, k) for make in (kernels.AugmentedUniform, kernels.uniform)
    )
    for t in (0.1, 0.6, 1.0):
        result = enumeration.matrix(beside, 0.0, t)[:k].reshape(k, 2, k)  # [x_0, is noise, token]
        np.testing.assert_allclose(
            result.sum(axis=1), enumeration.matrix(alone, 0.0, t), rtol=1e-6
        )
        assert (result[:, 0][~np.eye(k, dtype=bool)] == 0).all()
    later = enumeration.matrix(beside, 0.2, 0.6)
    kept = np.exp(np.diff(np.asarray(schedules.cosine(jnp.array([0.2, 0.6])), np.float64)))[0]
    others = (1 - kept) / (k - 1) * (1 - np.eye(k))
    expected = np.block([[kept * np.eye(k), others], [np.zeros((k, k)), np.eye(k)]])
    np.testing.assert_allclose(later, expected, rtol=1e-5, atol=1e-7)
    assert kernels.shows_noise(beside)
    assert not kernels.shows_noise(alone)


@pytest.mark.few(3)
def test_posterior_is_bayes_rule(kernel):
    """Of every (x_0, x_t), and of a guess, which is averaged before normalising, not after.

    Its logarithm is made on its own, the likeliest state apart from the others.
    """
    states, guess = len(kernel.prior), np.zeros(len(kernel.prior))
    guess[:2] = 0.1, 0.9
    p_0 = np.repeat([*np.eye(states), guess], states, axis=0)
    x_t = np.tile(np.arange(states), states + 1)

    @jax.jit
    def both(p_0, x_t, s, t):
        log_p = categorical.log_or_never(p_0)
        logs = kernels.log_posterior(kernel, log_p, x_t, s, t)
        return kernels.posterior(kernel, p_0, x_t, s, t), jnp.exp(logs)

    for s, t in GRID:
        results = both(jnp.asarray(p_0, jnp.float32)[None], x_t[None], *times(s, t))
        evidence = (p_0 @ enumeration.matrix(kernel, 0.0, t))[np.arange(len(x_t)), x_t]
        possible = evidence > 1e-12
        assert possible[:-states].sum() >= states
        expected = enumeration.bayes(kernel, p_0, x_t, s, t)
        for result in results:
            np.testing.assert_allclose(result[0, possible], expected[possible], atol=1e-6)


@pytest.mark.few(2)
def test_denoising_posterior_weighs_the_guess_with_the_evidence(each_family):
    """And leaving the own token out is the inverse of that."""
    guess = np.pad([[0.3, 0.7], [0.25, 0.7, 0.05]][each_family.num_classes - 2], (0, 1))[:3]
    x_t, t = jnp.arange(3)[None], jnp.array([0.6])

    @jax.jit
    def there_and_back(p_0):
        clean = kernels.denoising_posterior(each_family, p_0, x_t, t)
        return clean.law[0], kernels.leave_own_out(each_family, clean, x_t, t)[0]

    evidence = enumeration.matrix(each_family, 0.0, 0.6).T  # [x_t, x_0]
    possible = np.where(evidence > 1e-30, guess, 0)
    for result, expected, atol in zip(
        there_and_back(jnp.tile(jnp.asarray(guess, jnp.float32), (1, 3, 1))),
        (guess * evidence, possible),
        (1e-6, 1e-5),
        strict=True,
    ):
        expected /= np.maximum(expected.sum(axis=1, keepdims=True), 1e-30)
        np.testing.assert_allclose(result, expected, atol=atol)


@pytest.mark.few(2)
def test_the_log_law_of_one_clean_token_is_that_of_all(kernel):
    states, classes = len(kernel.prior), kernel.num_classes
    x, x_t = (a.reshape(-1, 1) for a in np.indices((classes, states)))
    logits = 5 * np.random.default_rng(0).normal(size=(len(x), 1, states))
    sure = np.where(np.arange(states) == 0, 60.0, logits)  # all others below float32's smallest

    @jax.jit
    def both(logits, t):
        log_p = jax.nn.log_softmax(jnp.where(jnp.arange(states) < classes, logits, -1e6))
        start, t = jnp.zeros(len(x)), jnp.full(len(x), t)
        of_all = kernels.log_posterior(kernel, log_p, x_t, start, t)
        return of_all, kernels.log_denoised_of(kernel, log_p, x, x_t, t)

    for guess in (logits, sure):
        for t in (0.1, 0.5, 1.0):
            of_all, got = map(np.asarray, both(jnp.asarray(guess, jnp.float32), t))
            want = np.take_along_axis(of_all, x[..., None], -1)[..., 0]
            possible = want > -1e3  # x_t can be from x at all
            np.testing.assert_array_equal(got > -1e3, possible)
            np.testing.assert_allclose(got[possible], want[possible], rtol=1e-5, atol=2e-5)


def test_what_is_denoised_is_no_guess_and_a_walk_no_mixing():
    kernel, t = kernels.uniform(schedules.cosine, 3), jnp.array([0.6])
    with typechecker.off(), pytest.raises(TypeError, match="got Denoised.* Use kernels.leave"):
        kernels.posterior(kernel, kernels.Denoised(jnp.ones((1, 2, 3))), t, t / 2, t)
    assert kernels.mixing(kernel) is kernel
    with pytest.raises(TypeError, match="a kernels.Mixing; got a Walk"):
        kernels.mixing(zoo.KERNELS["walk"])


def twice(generic):
    """The registered form and the fallback of a singledispatch function."""
    return generic, generic.dispatch(object)


@pytest.mark.few(1)
def test_corrupt_follows_the_exact_law(each_family):
    """Each row has its own times."""
    x_0, s, t = np.tile(np.arange(each_family.num_classes), (2, 20_000)), (0.2, 0.0), (0.6, 1.0)
    for corrupt in twice(kernels.corrupt):
        start, end = (jnp.array(time) for time in (s, t))
        x_t = np.asarray(compiled(corrupt, each_family)(jax.random.key(0), x_0, end, start))
        assert x_t.dtype == np.int32
        for row, *between in zip(x_t, s, t, strict=True):
            for x, law in enumerate(enumeration.matrix(each_family, *between)[: x_0.max() + 1]):
                enumeration.assert_drawn_from(row[x_0[0] == x], law)


@pytest.mark.few(1)
def test_step_back_follows_the_posterior(each_family):
    """Each row has its own times."""
    guess, s, t = np.array([0.3, 0.7, 0.0], np.float32), (0.0, 0.3, 0.5), (0.5, 0.5, 1.0)
    x_t = np.tile(np.arange(3), (3, 20_000))
    p_0 = np.broadcast_to(guess, (*x_t.shape, 3))
    for step_back in twice(kernels.step_back):
        start, end = (jnp.array(time) for time in (s, t))
        x_s = np.asarray(compiled(step_back, each_family)(jax.random.key(1), p_0, x_t, start, end))
        assert x_s.dtype == np.int32
        for row, *between in zip(x_s, s, t, strict=True):
            law = enumeration.bayes(each_family, guess, np.arange(3), *between)
            for x in np.flatnonzero(law.sum(axis=1) > 0):
                enumeration.assert_drawn_from(row[x_t[0] == x], law[x])


@pytest.mark.slow
def test_rare_redraws_reach_every_class_alike():
    """Each class has 1e-8 here, below float32's steps of 1.2e-7 in a uniform number.

    One draw over all states could reach only every tenth class, each ten times too often: then
    two redraws would agree ten times as often as they should.
    """
    states, steps, draws = 1024, 4000, 2**22
    kernel = kernels.uniform(schedules.cosine, states)
    x_t = jnp.full((1, 1), states // 2)
    p_0 = jnp.full((1, 1, states), 1 / states)
    s, t = jnp.array([100 / steps]), jnp.array([101 / steps])

    @jax.jit
    def count(rng):
        def some(rng):
            rngs = jax.random.split(rng, 2**13)
            x = jax.vmap(lambda r: kernels.step_back(kernel, r, p_0, x_t, s, t)[0, 0])(rngs)
            return jnp.bincount(x, length=states)

        return jax.lax.map(some, jax.random.split(rng, draws // 2**13)).sum(axis=0)

    share = 1 - np.exp(np.diff(np.float64(schedules.cosine(jnp.append(s, t)))))[0]
    result = np.delete(np.asarray(count(jax.random.key(0))), states // 2)
    expected = share * draws * (1 - 1 / states)
    assert 60 < expected < 200
    assert abs(result.sum() - expected) < 5 * expected**0.5
    agree = (result * (result - 1) / 2).sum()
    assert agree < 3 * result.sum() ** 2 / (2 * states)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["generator-reversible", "generator-round", "birth_death-linear"])
def test_generator_is_the_exponential_of_its_rates(name):
    kernel = zoo.KERNELS[name]
    for s, t in ((0.0, 0.001), (0.2, 0.3), (0.5, 0.99), (0.0, 1.0)):
        tau = -np.diff(np.asarray(kernel.schedule(jnp.array([s, t])), np.float64))[0]
        expected = linalg.expm(tau * np.asarray(kernel.rates, np.float64))
        np.testing.assert_allclose(
            enumeration.matrix(kernel, s, t), expected, rtol=2e-4, atol=3e-7
        )
    np.testing.assert_allclose(kernel.prior @ kernel.rates, 0, atol=1e-6)
    if name != "birth_death-linear":
        assert (kernel.spectrum is None) == (name == "generator-round")


@pytest.mark.slow
def test_a_table_is_the_product_of_its_steps():
    """Every pair of the grid: runs from time 0, aligned ones, and all that is between."""
    rng = np.random.default_rng(0)
    steps = rng.dirichlet(np.ones(3), size=(13, 3))
    kernel = kernels.Tabulated(steps)
    pairs = [(i, j) for i in range(14) for j in range(i, 14)]
    i, j = (jnp.array(a) for a in zip(*pairs, strict=True))
    result = jax.jit(kernel.matrix)(i / 13, j / 13)
    for (i, j), matrix in zip(pairs, result, strict=True):
        expected = np.linalg.multi_dot([np.eye(3), np.eye(3), *steps[i:j]])
        np.testing.assert_allclose(matrix, expected, rtol=2e-5)


def test_gaussian_rates_fall_with_the_square_of_the_distance():
    result = rate_matrices.gaussian(6, 1.5)
    np.testing.assert_allclose(result.sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(result, result.T)
    np.testing.assert_allclose(result[2, 4] / result[2, 3], np.exp(-(4 - 1) / (2 * 1.5**2)))
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(result))[-2:], [-1, 0], atol=1e-12)


def test_masks_and_uniform_at_half_time_have_their_share():
    for p_uniform, gamma in ((0.2, 1.0), (0.3, 2.0)):
        law = enumeration.matrix(kernels.masks_and_uniform(4, p_uniform, gamma), 0.0, 0.5)[1]
        np.testing.assert_allclose(law[[0, 2, 3]], p_uniform / 4, rtol=1e-5)
        assert law[4] == pytest.approx((1 - p_uniform) / 2, rel=1e-5)
    masked = kernels.masks_and_uniform(4, 0.0)
    assert kernels.is_masking(masked)
    for s, t in GRID:
        without = enumeration.matrix(kernels.MasksAndUniform(4, 0.0), s, t)
        np.testing.assert_allclose(without, enumeration.matrix(masked, s, t), rtol=1e-5)


CYCLE = np.roll(np.eye(3), 1, axis=1)


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(
    ("make", "says"),
    [
        *(
            (functools.partial(make, schedules.cosine, 1), "at least 2 classes; got 1")
            for make in (kernels.uniform, kernels.absorbing, kernels.AugmentedUniform)
        ),
        (lambda: kernels.Tabulated(np.eye(3)), r"\(T, K, K\); got \(3, 3\)"),
        (lambda: kernels.Tabulated(0.9 * CYCLE[None]), "row 0 of step 1 sums to 0.9"),
        (lambda: kernels.Tabulated(2 * np.eye(3)[None] - CYCLE), "smallest entry is -1"),
        (lambda: kernels.Tabulated(np.eye(3)[None]), "differs from it by 0.67"),
        (lambda: kernels.Tabulated(CYCLE[None], np.ones(2) / 2), "a law of the 3 states"),
        (lambda: kernels.Generator(CYCLE, schedules.cosine), "row 0 sums to 1"),
        (lambda: kernels.Generator(np.eye(3) - CYCLE, schedules.cosine), "got -1 from 0 to 1"),
        (lambda: kernels.Generator(np.ones(3), schedules.cosine), r"\(K, K\).*got \(3,\)"),
        (lambda: kernels.Generator(np.zeros((3, 3)), schedules.cosine), "these have several"),
        (
            lambda: kernels.Generator(0.01 * (CYCLE - np.eye(3)), schedules.cosine),
            "Multiply the rates by 6.7",
        ),
        (lambda: kernels.masks_and_uniform(3, 1.0), "below 1; got 1.0"),
        (lambda: kernels.masks_and_uniform(3, gamma=0), "above 0; got 0"),
        (lambda: tables.banded(np.ones(1), 3, 3), r"width must be in \[1, 2\]"),
        (lambda: rate_matrices.nearest_neighbours(np.zeros((3, 1)), 3), r"k must be in \[1, 2\]"),
    ],
)
def test_what_is_no_kernel_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_a_guess_that_rules_out_what_is_seen_leaves_it_as_it_is():
    """Masks as matrices: an unmasked token was always itself, whatever a sure network says."""
    masking = np.array([[0.7, 0, 0.3], [0, 0.7, 0.3], [0, 0, 1]])
    prior = np.array([0, 0, 1.0])
    kernel = kernels.Tabulated(np.stack([masking] * 60), prior, num_classes=2)

    @jax.jit
    def posteriors(p_0, x_t, s, t):
        clean = kernels.denoising_posterior(kernel, p_0, x_t, t).law
        return kernels.posterior(kernel, p_0, x_t, s, t), clean

    for result in posteriors(jnp.array([[[0.0, 1.0, 0.0]]]), jnp.array([[0]]), *times(0.5, 0.6)):
        np.testing.assert_allclose(result, [[[1.0, 0.0, 0.0]]], atol=1e-6)
