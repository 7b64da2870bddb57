"""D3PM's kernels of its text models, whose columns are from-states (Austin et al., 2021, app. A).

Its bands are left out: their columns are scaled to 1 after the fact, which is another kernel than
`tables.banded` (departure 14). So are its Sinkhorn steps, whose rows do not sum to 1 (15).
"""

import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels, schedules
from amd_jax.diffusion.kernels import rate_matrices, tables
from tests.diffusion.peers import golden
from tests.variants import quick

pytestmark = pytest.mark.slow

NEAR = np.array([[0, 1], [5, 5], [4, 5], [0, 4], [3, 0], [2, 4]])  # as theirs are near: see below


@pytest.fixture(params=quick(["f64", "f32"], "f64"))
def text(request):
    with golden.opened("d3pm", ("K6", request.param)) as peer:
        yield peer


def eye(steps):
    return jnp.broadcast_to(jnp.eye(6), (steps, 6, 6))


def times(text, steps):
    return jnp.asarray(np.arange(steps) / int(text["text_T"]), text.dtype)


def test_gaussian(text):
    """Departure 12: its exponent is -(2 K d / (K - 1)²)² / β, the paper's but for K and K - 1."""
    t = times(text, 12)
    beta = (0.02 + 0.28 * np.arange(12) / 12) * (5 / 6) ** 2
    steps = tables.discretised_gaussian(beta, 6)
    np.testing.assert_allclose(steps, text.exact("text_gauss_transitions").mT, rtol=1e-12)
    kernel = kernels.Tabulated(steps)
    result = kernel.push(eye(12), jnp.zeros_like(t), t)
    text.assert_near(result.mT, "text_gauss_products", rtol=1e-6, atol=1e-12)


def test_masks(text):
    """Steps of 1 / (T - t), whose log α is that of the linear schedule, and any others.

    Departure 15: the last row is set to pure noise whatever the schedule.
    """
    alpha = jnp.exp(schedules.linear(times(text, 13)))
    expected = text.exact("text_beta_state")
    text.assert_near(jnp.stack([1 - alpha, alpha], axis=-1), expected, rtol=1e-12, atol=1e-12)
    log_alpha = np.cumsum(np.log1p(-(0.02 + 0.28 * np.arange(12) / 12)))
    schedule = schedules.tabulated(np.concatenate([[0.0], log_alpha]))
    t = times(text, 13)
    kernel = kernels.absorbing(schedule, 5)
    result = kernel.push(eye(13), jnp.zeros_like(t), t)[:, 0, jnp.array([5, 0])]
    text.assert_near(result[:-1], text.exact("text_beta_state_lin")[:-1], rtol=1e-9)


def test_nearest_neighbours(text):
    """Ours are scaled to a slowest mode of rate 1. Theirs are float32."""
    result = rate_matrices.nearest_neighbours(NEAR, 2)
    neighbours = np.argsort(((NEAR[:, None] - NEAR) ** 2).sum(axis=-1), axis=1)[:, 1:3]
    assert (np.sort(neighbours) == np.sort(text.exact("text_nn_neighbors"))).all()
    expected = text.exact("text_nn_rate")
    slowest = -np.linalg.eigvalsh(expected)[-2]
    np.testing.assert_allclose(result * slowest, expected, rtol=1e-5, atol=1e-6)

    kernel = kernels.Generator(result, lambda t: -4 * slowest * t)
    t = jnp.full(1, 0.5 / 4, text.dtype)
    expected = text.exact("text_nn_expm_0.5")
    for matrix in (kernel.push(eye(1), 0 * t, t), kernel.matrix(0 * t, t)):
        text.assert_near(matrix[0], expected, rtol=1e-5, atol=1e-6, single=(1e-5, 1e-6))
