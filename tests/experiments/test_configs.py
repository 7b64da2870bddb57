"""Every experiment file, shrunk: three steps, saved, restored, sampled from."""

import json

import jax
import numpy as np
import pytest

from amd_jax.data import cityscapes, corpus, scenes
from amd_jax.evaluation import gallery, pictures
from amd_jax.training import checkpoints, loop
from amd_jax.training import experiment as experiments
from amd_jax.training import workdir as workdirs
from tests.experiments.command import ROOT

FILES = {
    path.stem: path
    for path in sorted((ROOT / "experiments").glob("*.py"))
    if path.stem not in ("__init__", "command_line", "overrides", "run", "table4")
}
HOLLOW = {"network.width": 8, "network.join_width": 8, "network.blocks": 1}
LINEAR = {"network.dim": 8, "network.depth": 1, "network.heads": 2, "network.local_heads": 1}
LSTM = {"network.features": 16, "network.layers": 1, "network.components": 2}
FLOW = {**LSTM, "encoder.width": 8, "encoder.context": 8}
DENSE = {"blocks": 1, "growth": 4, "depth": 1, "width": 8}
MAP_FLOW = {
    **{"levels": 1, "couplings": 1, "encoder.couplings": 1, "encoder.context": 2},
    **{f"network.{name}": value for name, value in DENSE.items()},
    **{f"encoder.network.{name}": value for name, value in DENSE.items()},
}
HOLLOW_MAP = {"network.width": 8, "network.join_width": 8, "network.dilations": (1,)}
UNET = {"network.dim": 8, "network.multipliers": (1, 2), "network.groups": 4, "network.heads": 1}
SHRUNK = {
    "argmax_quickstart": {"length": 16, **FLOW},
    "eight_gaussians": {"num_classes": 9, **FLOW},
    "own_text_argmax_ar": {"data.length": 16, **FLOW},
    "own_text_argmax_coupling": {"data.length": 16, "couplings": 2, **FLOW},
    "text8_argmax_ar": FLOW,
    "text8_argmax_ar_base": {"base": 6, **FLOW},
    "text8_argmax_coupling": {"couplings": 2, **FLOW},
    "text8_dequantize_uniform": {"couplings": 2, **LSTM},
    "text8_dequantize_variational": FLOW,
    "enwik8_argmax_ar": FLOW,
    "enwik8_argmax_coupling": {"couplings": 2, **FLOW},
    "quickstart": {"length": 32, **HOLLOW},
    "own_text": {"data.length": 32, **HOLLOW},
    "text8_diffusion": LINEAR,
    "enwik8_diffusion": LINEAR,
    "cityscapes_argmax": MAP_FLOW,
    "cityscapes_dequantize": MAP_FLOW,
    "cityscapes_diffusion": UNET,
    "maps_quickstart": {"data.height": 16, "data.width": 16, **HOLLOW_MAP},
    "own_maps": HOLLOW_MAP,
    "squares": {"data.height": 16, "data.width": 16, **HOLLOW_MAP},
    "table4_row": MAP_FLOW,
}
UNITS = {"eight_gaussians": "coordinate", "enwik8_diffusion": "byte"}
UNITS |= {"enwik8_argmax_ar": "byte", "enwik8_argmax_coupling": "byte"}
MAPS = [name for name in FILES if name.startswith(("cityscapes", "maps", "own_maps"))]
UNITS |= dict.fromkeys([*MAPS, "squares", "table4_row"], "pixel")


@pytest.fixture(autouse=True)
def corpora(monkeypatch):
    """text8 and enwik8 without their archives, which tests/data sees to."""

    def read(self, split, data_dir=None):
        classes = len(self.alphabet or range(256))
        return np.random.default_rng(0).integers(0, classes, 4000).astype(np.uint8)

    monkeypatch.setattr(corpus.Corpus, "read", read)


@pytest.fixture(autouse=True)
def few_maps(monkeypatch):
    """Cityscapes without its archive, which tests/data sees to, and few scenes."""

    def read(self, data_dir=None):
        shape = (4, *self.event_shape)
        maps = np.random.default_rng(0).integers(cityscapes.NUM_CLASSES, size=shape)
        return dict.fromkeys(scenes.SPLITS, maps.astype(np.uint8))

    monkeypatch.setattr(cityscapes.Archive, "read", read)
    for split in scenes.ROWS:
        monkeypatch.setitem(scenes.ROWS, split, 4)


@pytest.fixture
def maps_file(tmp_path):
    """Maps of your own."""
    file = tmp_path / "maps.npy"
    np.save(file, np.random.default_rng(0).integers(3, size=(60, 8, 8)).astype(np.uint8))
    return file


@pytest.fixture
def book(tmp_path):
    file = tmp_path / "book.txt"
    file.write_text("the quick brown fox jumps over the lazy dog\n" * 40)
    return file


@pytest.mark.slow  # test_run.py and test_run_maps.py train two of them in the quick suite
@pytest.mark.parametrize("name", FILES)
def test_trains_saves_restores_and_samples(name, book, maps_file, tmp_path):
    module, workdir = workdirs.load_module(FILES[name]), tmp_path / "run"
    config = module.get_config()
    small = {"batch_size": 2, "num_steps": 3, "log_every": 1, **SHRUNK[name]}
    if "timesteps" in config:
        small["timesteps"] = 4
    config.update_from_flattened_dict(small)
    if name.startswith("own_text"):
        config.data.path = str(book)
    if name == "own_maps":
        config.data.path = str(maps_file)
    experiment = module.build(config)
    workdirs.claim(workdir, config, FILES[name], experiment.data.summary())
    params = loop.train(experiment, config, workdir)
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    unit = UNITS.get(name, "char")
    assert all(0 < line[f"loss_bits_per_{unit}"] < 1000 for line in lines)

    experiment, restored = checkpoints.load_run(workdir)
    jax.tree.map(np.testing.assert_array_equal, restored, params)
    shape = (2, *experiment.data.event_shape)
    x = gallery.samples(experiment.model, restored, jax.random.key(0), shape)
    assert (x.shape, x.dtype) == (shape, np.int32)
    if hasattr(experiment.data, "decode"):
        assert gallery.text(x[0], experiment.data.decode)
    else:
        assert pictures.grid(x, experiment.data.palette).getcolors()


@pytest.mark.parametrize("name", FILES)
def test_numbers_that_every_config_has(name):
    config = workdirs.load_module(FILES[name]).get_config()
    assert {"seed", "batch_size", "num_steps", "checkpoint_every"} <= set(config)
    experiments.check_numbers(config)


def test_every_experiment_is_tested():
    assert FILES.keys() == SHRUNK.keys()


PAPER = {  # Hoogeboom et al., 2021, and the authors' released code
    "text8_diffusion": {"length": 256, "classes": 27, "timesteps": 1000, "window": 128},
    "enwik8_diffusion": {"length": 320, "classes": 256, "timesteps": 4000, "window": 80},
}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_numbers(name):
    module, paper = workdirs.load_module(FILES[name]), PAPER[name]
    config = module.get_config()
    rows = 90_000_000 // paper["length"]
    assert rows == module.ROWS
    assert (config.batch_size, config.num_steps) == (32, 300 * rows // 32)
    assert config.optimizer.to_dict() == {"learning_rate": 1e-4, "decay_per_epoch": 0.99}
    assert config.ema_decay == 0
    assert config.timesteps == paper["timesteps"]
    network = {"dim": 512, "depth": 12, "heads": 16, "local_heads": 8, "dropout": 0.0}
    assert config.network.to_dict().items() >= {**network, "window": paper["window"]}.items()

    experiment = module.build(config)
    assert experiment.data.event_shape == (paper["length"],)
    assert experiment.data.num_classes == experiment.model.kernel.num_classes == paper["classes"]
    assert experiment.model.steps == paper["timesteps"]
    x = jax.ShapeDtypeStruct((1, paper["length"]), np.int32)
    params = jax.eval_shape(experiment.model.init, jax.random.key(0), x)
    if name == "text8_diffusion":
        assert round(sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6, 1) == 51.5


def test_the_papers_numbers_for_cityscapes():
    """Warm-up is 5 steps, not epochs, and nothing decays, as in the released code."""
    module = workdirs.load_module(FILES["cityscapes_diffusion"])
    config = module.get_config()
    assert (config.batch_size, config.num_steps) == (64, 500 * 2500 // 64)
    assert config.optimizer.to_dict() == {"learning_rate": 1e-4, "warmup_steps": 5}
    assert config.ema_decay == 0
    network = {"dim": 64, "multipliers": (1, 2, 4, 8), "heads": 4, "groups": 8, "dropout": 0.1}
    assert network.items() <= config.network.to_dict().items()
    experiment = module.build(config)
    data = experiment.data
    assert (data.event_shape, data.num_classes, data.augment) == ((32, 64), 8, True)
    assert experiment.model.steps == 4000
    x = jax.ShapeDtypeStruct((1, 32, 64), np.int32)
    params = jax.eval_shape(experiment.model.init, jax.random.key(0), x)
    assert round(sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6, 1) == 29.8
