"""A diffusion over the tokens of a language model: how many arrays (B, L, K) there are at once."""

import jax
import jax.numpy as jnp
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, schedules
from amd_jax.learning import objectives

K, B, L = 50_257, 2, 16


@pytest.mark.slow
def test_a_hollow_network_needs_few_arrays_of_all_classes():
    model = models.Diffusion(
        kernels.uniform(schedules.cosine, K), networks.Hollow(K, width=16, join_width=16), None
    )
    x, rng = jax.ShapeDtypeStruct((B, L), jnp.int32), jax.eval_shape(lambda: jax.random.key(0))
    params = jax.eval_shape(model.init, rng, x)
    objective = objectives.CrossEntropy(model)
    gradient = jax.grad(lambda p, rng, x: objective.loss(p, (), rng, x)[0].mean())

    def arrays(function):
        how = {"xla_backend_optimization_level": 3}  # as users compile: the tests fuse nothing
        result = jax.jit(function).lower(params, rng, x).compile(how).memory_analysis()
        return result.temp_size_in_bytes / (4 * B * L * K)

    assert arrays(gradient) < 4  # 15 with a one-hot for every tap of the towers
    assert arrays(model.elbo) < 7  # 19
