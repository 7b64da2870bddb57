"""Gaussian diffusion by hand: variances and steps, levels that stand still, keys of steps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import gaussian
from amd_jax.diffusion.gaussian import noise_schedules

LEVEL = noise_schedules.Linear(-2.0, 2.0)
DRAWS = 40_000


def signal_and_noise(t):
    """α² and σ² at a time."""
    gamma = float(LEVEL(jnp.float32(t)))
    return 1 / (1 + np.exp(gamma)), 1 / (1 + np.exp(-gamma))


def variances(s, t):
    """Those of q(z_s | z_t, f) and of q(z_t | z_s)."""
    (alpha_s, sigma_s), (alpha_t, sigma_t) = signal_and_noise(s), signal_and_noise(t)
    between = sigma_t - alpha_t / alpha_s * sigma_s
    return between * sigma_s / sigma_t, between


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(
    ("kind", "said", "share"),
    [("small", 9.0, 0), ("large", 9.0, 1), *[("range", 2 * w - 1, w) for w in (0, 0.5, 1)]],
)
def test_the_variance_of_a_step_is_between_those_of_both_posteriors(kind, said, share):
    """On the logarithmic scale; what a network says is from -1 to 1."""
    process = gaussian.Process(gaussian.one_hots(3), LEVEL, None, kind)
    result = gaussian.log_variance(process, said, LEVEL(0.3), LEVEL(0.6))
    small, large = np.log(variances(0.3, 0.6))
    np.testing.assert_allclose(result, small + share * (large - small), rtol=1e-5)


@pytest.mark.few(2)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_step_of_ddim_has_its_mean_and_variance(eta):
    """α_s f̂ + sqrt(σ_s² - η² v) ε̂, and η² v; with η = 1 those of the posterior."""
    f, z, (s, t) = 0.4, -0.7, (jnp.full(DRAWS, 0.3), jnp.full(DRAWS, 0.6))
    guess = lambda z, t, rng=None: gaussian.Guess(jnp.full(z.shape, f))  # noqa: E731
    process = gaussian.Process(gaussian.on_a_line(2), LEVEL, guess)
    z_t = jnp.full((DRAWS, 1), z)
    step = jax.jit(functools.partial(gaussian.samplers.DDIM(eta=eta).step, process))
    result = np.asarray(step(jax.random.key(0), z_t, s, t), np.float64)
    (alpha_s, sigma_s), (alpha_t, sigma_t) = signal_and_noise(0.3), signal_and_noise(0.6)
    v = eta**2 * variances(0.3, 0.6)[0]
    noise = (z - alpha_t**0.5 * f) / sigma_t**0.5
    mean = alpha_s**0.5 * f + (sigma_s - v) ** 0.5 * noise
    np.testing.assert_allclose(result.mean(), mean, atol=5 * (v / DRAWS) ** 0.5 + 1e-5)
    np.testing.assert_allclose(result.var(), v, rtol=0.05, atol=1e-9)


def test_the_rate_is_the_limit_of_a_term():
    """Of a guess that does not depend on what is drawn."""
    guess = lambda z, t, rng=None: gaussian.Guess(jnp.full(z.shape, 0.4))  # noqa: E731
    process = gaussian.Process(gaussian.on_a_line(2), LEVEL, guess)
    rng, x, t = jax.random.key(0), jnp.array([[0, 1]] * 2), jnp.array([0.3, 0.8])
    term = gaussian.bounds.term(process, rng, x, t - 1 / 256, t)
    np.testing.assert_allclose(256 * term, gaussian.bounds.rate(process, rng, x, t), rtol=0.02)


def test_the_steps_of_a_bound_have_noise_of_their_own():
    """So that their variances add up: of a guess that is what it sees, far from constant."""
    guess = lambda z, t, rng=None: gaussian.Guess(z)  # noqa: E731
    process = gaussian.Process(jnp.array([[0.0], [4.0]]), LEVEL, guess)
    x, times = jnp.zeros((DRAWS, 1), jnp.int32), np.array([1.0, 0.7, 0.3, 0.0])

    @jax.jit
    def parts(rng):
        steps = [jnp.full(DRAWS, t) for t in times]
        pairs = zip(steps[1:], steps[:-1], strict=True)
        terms = [gaussian.bounds.term(process, rng, x, s, t).var() for s, t in pairs]
        ends = gaussian.bounds.reconstruction(process, rng, x).var()
        all_steps = gaussian.bounds.elbo_of_all_steps(process, rng, x, jnp.asarray(times))
        return jnp.stack([*terms, ends]), all_steps.var()

    each, together = parts(jax.random.key(0))
    np.testing.assert_allclose(together, each.sum(), rtol=0.05)
    assert (np.sqrt(each[:3]).sum() ** 2) > 2 * each.sum()  # as if all had one noise


def test_levels_that_stand_still_get_no_gradient_of_their_pace():
    learned = noise_schedules.Learned()
    params = learned.init(jax.random.key(0))

    @jax.jit
    @jax.grad
    def slope_of(params):
        return learned.open(noise_schedules.still(params))(jnp.array([0.2, 0.7])).sum()

    slope = slope_of(params)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(slope["pace"]))
    np.testing.assert_allclose(slope["ends"], [0.8 + 0.3, 0.2 + 0.7], rtol=0.1)
