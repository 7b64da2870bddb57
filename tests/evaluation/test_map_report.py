"""What is told of a model of maps, for models whose answers are known."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from amd_jax.data import maps, toy
from amd_jax.data.text import Text
from amd_jax.evaluation import pictures, report

K, SHAPE = 3, (4, 6)
SIZES = {"train": 40, "validation": 2, "test": 10}


def read(split):
    rng = np.random.default_rng(SIZES[split])
    return rng.integers(K, size=(SIZES[split], *SHAPE), dtype=np.uint8)


@pytest.fixture
def data():
    return maps.Maps(K, SHAPE, read, maps.colours(K), name="mine")


class Stamp:
    """Samples that are one category, or code, everywhere."""

    def __init__(self, code):
        self.code = code

    def sample(self, params, rng, shape):
        return jnp.full(shape, self.code, jnp.int32)


class Copies:
    """Samples that are test maps."""

    def sample(self, params, rng, shape):
        rows = jnp.asarray(read("test"), jnp.int32)
        return rows[jax.random.randint(rng, shape[:1], 0, len(rows))]


def pixels(workdir):
    """Those of the picture, below its titles."""
    with Image.open(workdir / "samples.png") as picture:
        return np.asarray(picture)[pictures.TITLE :]


def drawn(data, model, workdir, number):
    return report.of(data).samples(model, (), workdir, num_samples=number, seed=0).splitlines()


def test_each_kind_of_data_has_its_report(data):
    text = Text("ab", 4, lambda split: np.zeros(8, np.uint8))
    kinds = {"texts": text, "maps": data, "points": toy.load(9)}
    assert {name: report.of(found).rows for name, found in kinds.items()} == {n: n for n in kinds}


def test_bad_samples_are_far_and_good_ones_near(data, tmp_path):
    distances = {}
    for name, model in {"stamp": Stamp(0), "copies": Copies()}.items():
        line, last = drawn(data, model, tmp_path, 200)
        pattern = r"neighbour distance .*: 200 samples ([\d.]+), 40 training maps ([\d.]+)"
        distances[name], yardstick = map(float, re.fullmatch(pattern, line).groups())
        assert last == f"picture: {tmp_path / 'samples.png'}"
    assert distances["copies"] < yardstick < 0.3
    assert distances["stamp"] > 0.8


def test_the_picture_shows_samples_beside_as_many_test_maps(data, tmp_path):
    drawn(data, Stamp(1), tmp_path, 4)
    found, height, width, gap = pixels(tmp_path), 168, 252, pictures.GAP
    left, right = found[:, : 2 * width + gap], found[:, -2 * width - gap :]
    for i in range(4):
        top, start = i // 2 * (height + gap), i % 2 * (width + gap)
        shown = left[top : top + height, start : start + width]
        assert (shown == data.palette[1]).all()
        shown = right[top : top + height : 42, start : start + width : 42]
        assert any((shown == data.palette[row]).all() for row in data.rows("test"))


def test_more_samples_than_test_maps(data, tmp_path):
    line, _ = drawn(data, Stamp(1), tmp_path, 70)
    assert "70 samples" in line
    assert "40 training maps" in line
    side = (8 * (252 + 4) - 4) + (4 * (252 + 4) - 4)  # 64 of the samples, all 10 test maps
    assert pixels(tmp_path).shape[1] == side + 3 * pictures.GAP


def test_codes_of_no_class_are_told_and_shown(data, tmp_path):
    _, line, _ = drawn(data, Stamp(-1), tmp_path, 1)
    assert line.startswith("codes of the samples that stand for no class (shown as RGB (255, 0,")
    assert "100.00%; --redraws=N draws such samples anew" in line
    assert (pixels(tmp_path)[:, :252] == pictures.MAGENTA).all()


def test_text_is_refused(data):
    told = report.of(data)
    with pytest.raises(ValueError, match="--text is for data that are text; this .* has maps"):
        told.tokens("sky")
    with pytest.raises(ValueError, match="Leave it out"):
        told.correction(None, (), text="sky", error_rate=0.1)
