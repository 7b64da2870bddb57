"""DNDM: times at which tokens change, drawn beforehand (Chen et al., 2024).

Left out (departure 31): its laws of these times that are of no schedule, "linear lambda" and the
Beta laws. Its times are one for the whole batch, ours of each row; its tokens are the likeliest,
ours drawn.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels, samplers, schedules
from tests import enumeration, golden_files

pytestmark = pytest.mark.slow

NUMBER = 20_000


def cosine(t):
    """Theirs: a squared cosine, with an offset of 0.08."""
    cos = jnp.cos((t + 0.08) / 1.08 * jnp.pi / 2) ** 2 / jnp.cos(0.08 / 1.08 * jnp.pi / 2) ** 2
    return jnp.where(t > 0, jnp.log(jnp.maximum(cos, 1e-13)), 0.0)


@pytest.mark.parametrize(
    ("name", "schedule"), [("linear_alpha", schedules.linear), ("cosine", cosine)]
)
def test_times_of_change_have_the_law_of_theirs(name, schedule):
    """Ours, for u on a fine grid: P(tau = i / T) = alpha_{i-1} - alpha_i."""
    theirs = golden_files.load("peers/dndm")
    steps, counts = int(theirs["T"]), theirs[f"{name}_counts"]
    with jax.enable_x64(True):
        u = (jnp.arange(NUMBER) + 0.5) / NUMBER
        kernel = kernels.uniform(schedule, 5)
        tau = samplers.DNDM(steps=steps).times_of_change(kernel, u)
        result = np.bincount(np.round(tau * steps).astype(int), minlength=steps + 1)
        alpha = np.exp(np.asarray(schedule(jnp.arange(steps + 1) / steps)))
    np.testing.assert_allclose(result[1:] / NUMBER, -np.diff(alpha), atol=2 / NUMBER)
    enumeration.assert_drawn_from(np.repeat(np.arange(steps + 1), counts), result)
