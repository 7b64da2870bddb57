"""Training steps lower for accelerators too: nothing in them is of the CPU alone."""

import jax
import numpy as np
import pytest

from amd_jax.devices.shards import Shards
from amd_jax.learning import training_step
from tests.experiments.test_configs import corpora, few_maps, shrunk  # noqa: F401  fixtures

NAMES = (
    *("text8_diffusion", "text8_argmax_ar", "text8_argmax_coupling", "text8_masked"),
    *("cityscapes_diffusion", "cityscapes_argmax", "text8_transformer_xl", "text8_latent_flow"),
)


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_step_lowers_for_gpus_and_tpus(name):
    experiment, config = shrunk(name)
    facts = experiment.open_data(config).facts
    model, objective, optimizer = experiment.compose(config, facts)
    x = jax.ShapeDtypeStruct((2, *facts.event_shape), np.int32)
    rng = jax.eval_shape(lambda: jax.random.key(0))

    def init(rng, x):
        return training_step.init_state(objective, optimizer, model.init(rng, x))

    step = training_step.make_train_step(objective, optimizer, 0.9, devices=Shards(1))
    batch = jax.ShapeDtypeStruct((jax.device_count(), 1, *facts.event_shape), np.uint8)
    traced = step.trace(jax.eval_shape(init, rng, x), rng, batch)
    for platform in ("cuda", "tpu"):
        assert traced.lower(lowering_platforms=(platform,)).as_text()
