"""Surjections: the numbers of the SurVAE code, densities that add up, and ways back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.transforms import laws, surjections
from tests import enumeration, golden_files

GOLDEN = golden_files.load("baselines/survae_surjections")
RNG = jax.random.key(0)


def windows(x):
    """2x2 windows in the last axis, row by row: (B, C, 2 H, 2 W) -> (B, C, H, W, 4)."""
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return x.transpose(0, 1, 2, 4, 3, 5).reshape(batch, channels, height // 2, width // 2, 4)


CASES = {
    "abs": (surjections.Abs(), GOLDEN["abs_x"]),
    "sort": (surjections.Sort(), GOLDEN["sort_x"]),
    "max": (surjections.Max(4), windows(GOLDEN["max_x"])),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_theirs_and_what_is_drawn_goes_back_to_where_it_came_from(name):
    with jax.enable_x64(True):
        part, x = CASES[name]
        forward = jax.jit(part.forward)
        z, nats = forward({}, RNG, jnp.asarray(x, "float64"))
        np.testing.assert_allclose(z, GOLDEN[f"{name}_z"], rtol=1e-12)
        np.testing.assert_allclose(nats, GOLDEN[f"{name}_ldj"], rtol=1e-9)
        drawn = jax.jit(part.inverse)({}, jax.random.key(1), z)
        assert drawn.shape == x.shape
        assert np.abs(drawn - x).max() > 0.1
        np.testing.assert_allclose(forward({}, RNG, drawn)[0], z, rtol=1e-12)


@pytest.mark.parametrize(
    ("part", "base"),
    [
        (surjections.Abs(), laws.Fixed(surjections.HALF_NORMAL)),
        (surjections.Max(2), laws.Fixed(laws.NORMAL)),
    ],
)
@pytest.mark.slow
def test_the_density_adds_up_to_one(part, base):
    """By a grid over the plane."""
    line = np.linspace(-8, 8, 401)
    x = jnp.asarray(np.stack(np.meshgrid(line, line + 1e-3), axis=-1).reshape(-1, 2))
    z, nats = part.forward({}, RNG, x)
    total = np.exp(nats + base.log_prob({}, z)).sum() * (line[1] - line[0]) ** 2
    np.testing.assert_allclose(total, 1, atol=0.03)


class Steps:
    """Shows what it is asked, and draws 1, 2, 3."""

    def log_prob(self, params, z):
        return z

    def sample(self, params, rng, shape):
        return jnp.broadcast_to(jnp.arange(1.0, 1 + shape[-1]), shape)


@pytest.mark.slow
def test_those_below_the_maximum_keep_their_order():
    part, x = surjections.Max(4, Steps()), windows(GOLDEN["max_x"])
    z, below = part.forward({}, RNG, jnp.asarray(x, "float32"))
    below += z[0].size * np.log(4)
    theirs = np.moveaxis(GOLDEN["max_rest"].reshape(*z.shape[:2], 3, *z.shape[2:]), 2, -1)
    np.testing.assert_allclose(below, theirs, atol=1e-4)
    x = np.asarray(part.inverse({}, RNG, jnp.zeros(20)))
    assert [list(row[row < 0]) for row in x] == [[-1, -2, -3]] * 20


@pytest.mark.slow
def test_every_place_of_the_maximum_is_as_likely():
    x = surjections.Max(4).inverse({}, RNG, jnp.zeros(4000))
    enumeration.assert_drawn_from(x.argmax(axis=-1), np.full(4, 0.25))
