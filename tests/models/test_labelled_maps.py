"""Masked diffusion of maps with a label: all mass is on such rows, by enumeration."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, schedules
from amd_jax.models.code_lengths import CodeLength
from amd_jax.ops.maps import LabelledMaps
from tests import enumeration, zoo
from tests.models.means import assert_mean
from tests.models.rows import compiled

K, C, SIZE = 2, 2, (1, 2)
MAPS = LabelledMaps(K, C, 2)
X = enumeration.sequences(K + C, 3)
IS_ROW = (X[:, 0] >= K) & (X[:, 1:] < K).all(axis=1)
DENOISERS = {
    "table": lambda: zoo.Table(K + C + 1),
    "hollow_map": lambda: networks.HollowMap(
        K + C + 1, 8, (1,), 1, join_width=8, join_blocks=1, size=SIZE
    ),
}


@functools.cache
def masked(denoiser):
    kernel = kernels.absorbing(schedules.linear, K + C)
    model = models.Diffusion(kernel, DENOISERS[denoiser](), None, support=MAPS)
    return model, zoo.parameters(model, length=3)


@pytest.mark.parametrize("denoiser", ["table", pytest.param("hollow_map", marks=pytest.mark.slow)])
def test_code_lengths_sum_to_one_over_maps_with_a_label(denoiser):
    model, params = masked(denoiser)
    code = compiled(functools.partial(CodeLength(order="left"), model))
    p = np.exp(np.asarray(code(params, jax.random.key(0), jnp.asarray(X)), np.float64))
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert (p[~IS_ROW] == 0).all()
    assert (p[IS_ROW] > 0).all()
    assert len(np.unique(p[IS_ROW].round(6))) > 4, "all rows are alike"


@pytest.mark.slow
def test_random_orders_sum_to_one_and_the_bound_is_below():
    model, params = masked("hollow_map")
    rows = jnp.tile(X, (1500, 1))
    code = compiled(functools.partial(CodeLength(), model))
    p = np.exp(np.asarray(code(params, jax.random.key(1), rows), np.float64)).reshape(1500, -1)
    assert (p[:, ~IS_ROW] == 0).all()
    assert_mean(p.sum(axis=1), 1.0, 0.02)
    nats = compiled(model.elbo)(params, jax.random.key(2), jnp.tile(X[IS_ROW], (4000, 1)))
    nats = np.asarray(nats, np.float64).reshape(4000, -1)
    mean, error = nats.mean(axis=0), nats.std(axis=0) / 4000**0.5
    assert (mean - 5 * error <= np.log(p.mean(axis=0)[IS_ROW]) + 0.02).all()
