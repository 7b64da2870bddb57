"""What a GPU has to show: networks of the reference, every experiment, the same bits twice.

    JAX_PLATFORMS=cuda python -m pytest -m gpu

Float32 products are asked for in full, where they are compared: by default a GPU rounds their
factors to 10 bits.
"""

import jax
import numpy as np
import pytest

from tests.experiments import test_configs as configs
from tests.experiments.test_configs import corpora, few_maps, files  # noqa: F401  fixtures
from tests.models import test_flow_golden as flow_golden
from tests.networks import test_linear_transformer as text_golden
from tests.networks import test_lstm as lstm_golden
from tests.networks import test_precision as precision
from tests.networks import test_unet as unet_golden

pytestmark = pytest.mark.gpu

GOLDEN = {
    "unet": unet_golden.test_logits_and_every_stage_are_those_of_the_reference,
    "text": lambda: text_golden.test_logits_are_those_of_the_reference(""),
    "text of windows": lambda: text_golden.test_logits_are_those_of_the_reference("2"),
    "ar lstm": lstm_golden.test_autoregressive_parameters_are_those_of_the_reference,
    "coupling lstm": lstm_golden.test_coupling_parameters_are_those_of_the_reference,
    "ar flow": lambda: flow_golden.test_elbo_and_its_pieces_are_those_of_the_reference("ar"),
    "coupling flow": lambda: flow_golden.test_elbo_and_its_pieces_are_those_of_the_reference(
        "coupling"
    ),
}
TWICE = (
    *("text8_diffusion", "quickstart", "eight_gaussians"),
    *("maps_quickstart", "cityscapes_argmax"),
)


@pytest.mark.parametrize("name", GOLDEN)
def test_networks_and_flows_are_those_of_the_reference(name):
    with jax.default_matmul_precision("highest"):
        GOLDEN[name]()


@pytest.mark.parametrize("name", configs.SHRUNK)
def test_every_experiment_trains_restores_and_samples(
    name,
    files,  # noqa: F811
    tmp_path,
):
    configs.test_trains_saves_restores_and_samples(name, files, tmp_path)


@pytest.mark.parametrize("name", precision.NETWORKS)
def test_bfloat16_is_near_float32_and_not_the_same(name):
    with jax.default_matmul_precision("highest"):
        precision.test_bfloat16_is_near_float32_and_not_the_same(name)


@pytest.mark.parametrize("name", TWICE)
def test_training_twice_gives_the_same_bits(name, tmp_path):
    """What a run that is continued relies on."""
    result = []
    for workdir in ("one", "other"):
        experiment, config = configs.shrunk(name)
        result.append(experiment.fit(tmp_path / workdir, config)[1])
    jax.tree.map(np.testing.assert_array_equal, *result)
