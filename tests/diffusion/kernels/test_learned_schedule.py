"""Kernels with parameters, once these are in place; what trains them is tested in `learning`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.diffusion.kernels import class_masking, learned_schedule
from amd_jax.exports import description
from tests import enumeration, zoo

BINS = 8
POWERS = np.array([0.6, 1.0, 2.3], np.float32)
GRID = [(0.0, 0.1), (0.0, 1.0), (0.2, 0.3), (0.3, 0.7), (0.9, 1.0)]


def schedule(seed=0, kernel=None):
    """A learned schedule and parameters with heights that differ by a factor of ten."""
    kernel = kernels.uniform(schedules.cosine, 2) if kernel is None else kernel
    levels = np.random.default_rng(seed).permutation(np.linspace(-1.2, 1.2, BINS))
    return learned_schedule.LearnedSchedule(kernel, BINS), {"levels": jnp.asarray(levels, float)}


def borders(part, params):
    """Times of the borders between bins, with both ends: (n + 1,)."""
    return np.append(0, np.cumsum(np.asarray(part.heights(params), np.float64)))


@pytest.mark.few(1)
@pytest.mark.parametrize("base", ["cosine", "linear", "polynomial"])
def test_both_ends_are_those_of_the_base_schedule(base):
    """Exactly, whatever rounding makes of a sum of 32 heights."""
    ends, base = jnp.array([0.0, 1.0]), zoo.SCHEDULES[base]
    part = learned_schedule.LearnedSchedule(kernels.uniform(base, 2))

    @jax.jit
    def at_ends(levels):
        schedule = part.open({"levels": levels}).schedule
        return schedule.level(ends), schedule(ends)

    levels, log_alpha = jax.vmap(at_ends)(jax.random.normal(jax.random.key(0), (100, 32)))
    np.testing.assert_array_equal(levels, np.tile([0.0, 1.0], (100, 1)))
    np.testing.assert_array_equal(log_alpha, np.tile(base(ends), (100, 1)))
    assert (log_alpha[:, 0] == 0).all()


@pytest.mark.slow
def test_levels_come_at_the_times_that_their_density_says():
    """At first these are the plain schedule's."""
    part, params = schedule()
    t = jnp.linspace(0, 1, 101)
    plain = part.open(part.init(jax.random.key(0))).schedule
    np.testing.assert_allclose(plain.level(t), t, atol=2e-7)
    np.testing.assert_allclose(plain.log_density(t), 0, atol=1e-6)
    result, times = part.open(params).schedule, borders(part, params)
    np.testing.assert_allclose(
        result.level(jnp.asarray(times)), np.arange(BINS + 1) / BINS, atol=1e-6
    )
    t = np.random.default_rng(0).random(1000)
    u = np.asarray(result.level(jnp.asarray(t)), np.float64)
    np.testing.assert_allclose(np.interp(u, np.arange(BINS + 1) / BINS, times), t, atol=1e-6)
    np.testing.assert_allclose(result(jnp.asarray(t)), schedules.cosine(jnp.asarray(u)), rtol=1e-5)
    counts, _ = np.histogram(u, BINS, (0, 1))
    np.testing.assert_allclose(counts / 1000, part.heights(params), atol=0.05)


@pytest.mark.slow
def test_the_slope_is_right_everywhere_and_at_a_border_the_later_ones():
    with jax.enable_x64(True):
        part, params = schedule()
        result, times = part.open(params).schedule, borders(part, params)
        assert result(jnp.ones(1)).dtype == np.float64
        middle = (times[1:] + times[:-1]) / 2
        exact = jnp.concatenate([jnp.zeros(1), jnp.cumsum(result.heights)[:-1], jnp.ones(1)])
        t = jnp.concatenate([jnp.asarray(middle), exact])
        at = np.append(np.arange(BINS), np.minimum(np.arange(BINS + 1), BINS - 1))
        u, pace = jax.jvp(result.level, (t,), (jnp.ones_like(t),))
        np.testing.assert_allclose(pace, 1 / (BINS * np.diff(times)[at]), rtol=1e-12)
        np.testing.assert_allclose(np.log(pace), -result.log_density(t), atol=1e-12)
        slope = jax.jvp(result, (t,), (jnp.ones_like(t),))[1]
        steep = jax.jvp(schedules.cosine, (u,), (jnp.ones_like(u),))[1]
        np.testing.assert_allclose(slope, pace * steep, rtol=1e-10)
        near = (result(t[:BINS] + 1e-6) - result(t[:BINS] - 1e-6)) / 2e-6
        np.testing.assert_allclose(slope[:BINS], near, rtol=1e-6)


def test_the_time_of_a_network_is_the_level_of_a_learned_schedule():
    part, params = schedule()
    t, kernel = jnp.array([0.2, 0.7]), part.open(params)
    result = learned_schedule.network_time(kernel, t)
    np.testing.assert_array_equal(result, kernel.schedule.level(t))
    for kernel in (zoo.KERNELS["uniform-cosine"], zoo.KERNELS["walk"]):
        assert learned_schedule.network_time(kernel, t) is t


def test_no_level_is_left_out():
    part, params = schedule()
    params = {"levels": params["levels"].at[3].set(-1e4)}
    heights = part.heights(params)
    np.testing.assert_allclose(heights[3], part.floor / BINS, rtol=1e-6)
    np.testing.assert_allclose(heights.sum(), 1, rtol=1e-6)
    slope = jax.jit(jax.vmap(jax.grad(part.open(params).schedule.level)))(jnp.linspace(0, 1, 1001))
    assert (slope > 0).all()
    np.testing.assert_allclose(slope.max(), 1 / part.floor, rtol=1e-2)


def test_a_schedule_that_has_collapsed_says_so():
    part, params = schedule()
    part.check(params)
    collapsed = {"levels": jnp.zeros(BINS).at[2].set(9.0)}
    with pytest.raises(ValueError, match=r"spends 99.0% of the time at levels 0.25-0.375, one of"):
        part.check(collapsed)
    assert "7 bins at the floor" in part.describe(collapsed)
    assert "0 bins at the floor" in part.describe(params)
    assert "% of the time at levels" in part.describe(params)
    with pytest.raises(ValueError, match="not finite"):
        part.check({"levels": jnp.full(BINS, jnp.nan)})


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda k: learned_schedule.LearnedSchedule(zoo.KERNELS["walk"]),
            "pace of a kernels.Mixing",
        ),
        (
            lambda k: learned_schedule.LearnedSchedule(zoo.KERNELS["uniform-tabulated"]),
            "derivative in time; Table has none",
        ),
        (lambda k: learned_schedule.LearnedSchedule(k, bins=1), "at least 2 bins; got bins=1"),
        (lambda k: learned_schedule.LearnedSchedule(k, floor=0.0), "got floor=0.0. Try 0.01"),
        (lambda k: class_masking.PerClassMasking(1), "at least 2 classes"),
        (lambda k: class_masking.PerClassMasking(3, power=0.0), "above 0; got 0.0"),
        (lambda k: class_masking.PerClassMasking(3, epsilon=1.0), "below 1; got 1.0"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(zoo.KERNELS["uniform-cosine"])


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "part",
    [schedule()[0], class_masking.PerClassMasking(3, 2.0)],
    ids=lambda part: type(part).__name__,
)
def test_they_can_be_described_and_composed_again(part):
    arrays = {}
    again = description.compose(description.describe(part, arrays), arrays)
    params = part.init(jax.random.key(0))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, again.init(jax.random.key(0)), params))
    assert (type(again), again.num_classes) == (type(part), part.num_classes)
    np.testing.assert_array_equal(again.prior, part.prior)
    matrices = (enumeration.matrix(each.open(params), 0.3, 0.7) for each in (again, part))
    np.testing.assert_array_equal(*matrices)


MASKING = class_masking.ClassMasking(jnp.asarray(POWERS))


def test_masking_by_hand():
    powers = POWERS.astype(float)
    for s, t in GRID:
        stay = np.maximum((1 - t**powers) / (1 - s**powers), 0)
        expected = np.block([[np.diag(stay), 1 - stay[:, None]], [np.zeros(3), 1]])
        result = enumeration.matrix(MASKING, s, t)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-7)
    end = enumeration.matrix(MASKING, 0.0, 1.0)
    np.testing.assert_allclose(end[:3, :3].diagonal(), np.exp(-30), rtol=1e-4)
    np.testing.assert_allclose(end, np.tile(MASKING.prior, (4, 1)), atol=1e-12)
    masked = enumeration.matrix(MASKING, 0.0, 1e-6)[:3, 3]  # 1 - α keeps its digits
    np.testing.assert_allclose(masked, 1e-6**powers, rtol=1e-5)
    assert MASKING.log_alpha(jnp.zeros(1)).tolist() == [[0.0, 0.0, 0.0]]


def test_masking_starts_with_one_power_for_all_classes():
    part = class_masking.PerClassMasking(3, power := 2.5)
    opened = part.open(part.init(jax.random.key(0)))
    np.testing.assert_allclose(opened.powers, power, rtol=1e-6)
    plain = kernels.absorbing(schedules.polynomial(power), 3)
    for s, t in GRID:
        result = enumeration.matrix(opened, s, t)
        np.testing.assert_allclose(result, enumeration.matrix(plain, s, t), rtol=1e-5)


@pytest.mark.slow
def test_what_is_left_at_the_end_is_in_the_prior():
    """So that its KL is finite, ε log K a token; without ε there is none."""
    x = jnp.array([[0, 1, 2, 2], [1, 1, 1, 0]])
    left = class_masking.ClassMasking(MASKING.powers, epsilon=0.1)
    np.testing.assert_allclose(np.sum(left.prior), 1, rtol=1e-6)
    np.testing.assert_allclose(enumeration.matrix(left, 0.0, 1.0)[0], [0.1, 0, 0, 0.9], rtol=1e-5)
    np.testing.assert_allclose(bounds.prior_kl(left, x), 4 * 0.1 * np.log(3), rtol=1e-5)
    np.testing.assert_allclose(bounds.prior_kl(MASKING, x), 0, atol=1e-10)


@pytest.mark.slow
def test_nothing_breaks_at_the_ends_of_time():
    """Powers below 1 have no slope at t = 0, where nothing is masked anyway."""

    def sums(powers):
        kernel, t = class_masking.ClassMasking(powers), jnp.array([0.0, 0.0, 1.0, 1.0])
        x_t, x = jnp.array([[0], [3], [1], [3]]), jnp.array([[0], [2], [1], [2]])
        p_0 = jnp.broadcast_to(jnp.array([0.2, 0.3, 0.5, 0.0]), (4, 1, 4))
        terms = bounds.rate(kernel, x, p_0, x_t, t)
        return terms.sum() + kernel.likelihood(x_t, 0 * t, t).sum()

    value, gradient = jax.jit(jax.value_and_grad(sums))(MASKING.powers)
    assert jnp.isfinite(value)
    assert jnp.isfinite(gradient).all()


def test_a_power_that_runs_away_says_so():
    part = class_masking.PerClassMasking(3)
    part.check(part.init(jax.random.key(0)))
    assert "0.0486 (class 1, masked first) to 1.31" in part.describe(
        {"powers": jnp.array([1.0, -3.0, 0.5])}
    )
    for number in (-3.0, 25.0, jnp.nan):
        with pytest.raises(ValueError, match="that of class 1 is"):
            part.check({"powers": jnp.array([1.0, number, 0.5])})
