import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels, schedules
from tests import golden_files, zoo


@pytest.mark.few(1)
@pytest.mark.parametrize("name", [*zoo.ANALYTIC, *(zoo.SCHEDULES.keys() - {*zoo.ANALYTIC})])
def test_starts_at_zero_and_never_rises(name):
    """Those of a formula fall, to the floor, and have finite gradients at both ends."""
    schedule = zoo.SCHEDULES[name]
    log_alpha = np.asarray(jax.jit(schedule)(np.arange(1001) / 1000))
    assert log_alpha[0] == 0
    assert (np.diff(log_alpha) <= 0).all()
    assert np.isfinite(log_alpha).all()
    assert log_alpha[-1] < -3
    if name in zoo.ANALYTIC:
        assert log_alpha[-1] == pytest.approx(schedules.LOG_ALPHA_END, abs=1e-4)
        assert (np.diff(log_alpha[::10]) < 0).all()
        slope = jax.jit(jax.vmap(jax.grad(schedule)))(np.array([0.0, 1e-4, 0.5, 1.0]))
        assert np.isfinite(slope).all()
        assert (slope[1:3] < 0).all()


def exact(name, t):
    """α_t in float64, from the definitions."""
    offset = schedules.OFFSET
    cosine, first = (np.cos((u + offset) / (1 + offset) * np.pi / 2) for u in (t, 0.0))
    return {"cosine": cosine / first, "linear": 1 - t, "polynomial": 1 - t**2}[name]


@pytest.mark.parametrize("name", zoo.ANALYTIC)
def test_both_ends_are_exact_to_float32(name):
    """1 - α where α is near 1, α where it is near 0."""
    t = np.array([1, 2, 40, 1999, 2001, 3960, 3999]) / 4000
    alpha, log_alpha = exact(name, t), np.float64(jax.jit(zoo.SCHEDULES[name])(np.float32(t)))
    np.testing.assert_allclose(-np.expm1(log_alpha), 1 - alpha, rtol=1e-6)
    slack = 1e-6 + 4e-7 / alpha  # of t itself, which float32 rounds
    assert (abs(np.exp(log_alpha) - alpha) <= slack * alpha).all()


def test_polynomial_refuses_powers_that_are_not_positive():
    with pytest.raises(ValueError, match="power > 0; got 0.0"):
        schedules.polynomial(0.0)


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(
    "table",
    [[], [0.0], [[0.0, -1.0]], [-0.1, -1.0], [0.0, -1.0, -0.5], [0.0, np.nan], [0.0, -np.inf]],
)
def test_tabulated_refuses_what_is_no_schedule(table):
    with pytest.raises(ValueError, match=r"starts at 0 and never increases; got shape"):
        schedules.tabulated(np.array(table))


def test_tabulated_returns_the_nearest_grid_point():
    table = np.array([0.0, -0.5, -1.0, -4.0, -9.0])
    t = jnp.array([0.0, 0.24, 0.26, 0.5, 0.74, 0.9, 1.0, 2.0])
    np.testing.assert_array_equal(
        schedules.tabulated(table)(t), table[[0, 1, 1, 2, 3, 4, 4, 4]].astype(np.float32)
    )
    fine = -np.arange(4001, dtype=np.float32)
    np.testing.assert_array_equal(schedules.tabulated(fine)(jnp.arange(4001) / 4000), fine)


@pytest.mark.few(1)
@pytest.mark.parametrize("file", ["diffusion_K5_T100", "diffusion_K27_T1000"])
def test_reference_cosine_is_the_released_table(file):
    golden = golden_files.load(file)
    steps = len(golden["log_cumprod_alpha"])
    with jax.enable_x64(True):
        schedule = jax.jit(schedules.reference_cosine(steps))
        log_alpha = np.asarray(schedule(np.arange(steps + 1) / steps))
    assert log_alpha.dtype == np.float64
    np.testing.assert_allclose(log_alpha[1:], golden["log_cumprod_alpha"], rtol=1e-9)
    np.testing.assert_allclose(np.diff(log_alpha), golden["log_alpha"], rtol=1e-8, atol=1e-13)
    log_redraw = np.log(-np.expm1(log_alpha[1:]))
    np.testing.assert_allclose(
        log_redraw, golden["log_1_min_cumprod_alpha"], rtol=1e-9, atol=1e-15
    )
    single = jax.jit(schedules.reference_cosine(steps))(np.arange(1, steps + 1) / steps)
    np.testing.assert_allclose(single, golden["f32_log_cumprod_alpha"], rtol=1e-6)


@pytest.mark.parametrize(
    "schedule",
    [lambda t: 1 - t, lambda t: jnp.exp(-30 * t), lambda t: -t[0], lambda t: 30.0 * t],
    ids=["alpha", "exponential alpha", "of one time", "rising"],
)
def test_what_is_no_logarithm_of_alpha_is_refused(schedule):
    with pytest.raises(ValueError, match="Return the logarithm of α, not α itself"):
        kernels.uniform(schedule, 3)
