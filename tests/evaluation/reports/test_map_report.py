"""What is told of a model of maps, for models whose answers are known."""

import re

import numpy as np
import pytest
from PIL import Image

from amd_jax.data import maps, toy
from amd_jax.data.text import Text
from amd_jax.evaluation import pictures
from amd_jax.evaluation.reports import run_report
from amd_jax.facts import Facts

K, SHAPE = 3, (4, 6)
SIZES = {"train": 40, "validation": 2, "test": 10}


def read(split):
    rng = np.random.default_rng(SIZES[split])
    return rng.integers(K, size=(SIZES[split], *SHAPE), dtype=np.uint8)


@pytest.fixture
def data():
    splits = {split: read(split) for split in SIZES}
    return maps.Maps(K, SHAPE, splits, maps.colours(K), name="mine")


def stamp(code, number):
    """Samples that are one category, or code, everywhere."""
    return np.full((number, *SHAPE), code)


def copies(number):
    """Samples that are test maps."""
    return read("test")[np.random.default_rng(0).integers(10, size=number)]


def pixels(workdir):
    """Those of the picture, below its titles."""
    with Image.open(workdir / "drawn.png") as picture:
        return np.asarray(picture)[pictures.TITLE :]


def told(data, drawn, workdir):
    result, place = run_report.of(data.facts), workdir / "drawn"
    lines = result.samples(drawn, place)
    return [*lines, *result.compared(drawn, place, None, None, data)[0]]


@pytest.mark.usefixtures("any_types")
def test_each_kind_of_data_has_its_report(data):
    text = Text("ab", 4, {"train": np.zeros(8, np.uint8)})
    kinds = {"texts": text.facts, "maps": data.facts, "points": toy.eight_gaussians(9).facts}
    kinds["rows"] = Facts(5, (2, 3, 4))
    assert {name: run_report.of(result).facts.rows for name, result in kinds.items()} == {
        name: name for name in kinds
    }
    with pytest.raises(ValueError, match="on the facts of data .* got a Text"):
        run_report.of(text)


@pytest.mark.usefixtures("any_types")
def test_bad_samples_are_far_and_good_ones_near(data, tmp_path):
    distances = {}
    for name, drawn in {"stamp": stamp(0, 200), "copies": copies(200)}.items():
        *_, line = told(data, drawn, tmp_path)
        pattern = r"neighbour distance .*: 200 samples ([\d.]+), 40 training maps ([\d.]+)"
        distances[name], yardstick = map(float, re.fullmatch(pattern, line).groups())
    assert distances["copies"] < yardstick < 0.3
    assert distances["stamp"] > 0.8


def test_samples_are_kept_and_shown_without_any_data(data, tmp_path):
    lines = run_report.of(data.facts).samples(copies(4), tmp_path / "new" / "drawn")
    folder = tmp_path / "new"
    assert lines == [f"picture: {folder / 'drawn.png'}", f"array: {folder / 'drawn.npz'}"]
    with np.load(folder / "drawn.npz") as kept:
        np.testing.assert_array_equal(kept["samples"], copies(4))
    assert pixels(folder).shape[1] == 2 * (252 + 4) - 4


@pytest.mark.usefixtures("any_types")
def test_the_picture_shows_samples_beside_as_many_test_maps(data, tmp_path):
    told(data, stamp(1, 4), tmp_path)
    result, height, width, gap = pixels(tmp_path), 168, 252, pictures.GAP
    left, right = result[:, : 2 * width + gap], result[:, -2 * width - gap :]
    for i in range(4):
        top, start = i // 2 * (height + gap), i % 2 * (width + gap)
        shown = left[top : top + height, start : start + width]
        assert (shown == data.palette[1]).all()
        shown = right[top : top + height : 42, start : start + width : 42]
        assert any((shown == data.palette[row]).all() for row in data.rows("test"))


@pytest.mark.usefixtures("any_types")
def test_more_samples_than_test_maps(data, tmp_path):
    line = told(data, stamp(1, 70), tmp_path)[-1]
    assert "70 samples" in line
    assert "40 training maps" in line
    side = (8 * (252 + 4) - 4) + (4 * (252 + 4) - 4)  # 64 of the samples, all 10 test maps
    assert pixels(tmp_path).shape[1] == side + 3 * pictures.GAP


def test_codes_of_no_class_are_told_and_shown(data, tmp_path):
    line = run_report.of(data.facts).samples(stamp(-1, 1), tmp_path / "drawn")[0]
    assert line.startswith("codes of the samples that stand for no class (shown as RGB (255, 0,")
    assert "100.00%; redraws draw such samples anew" in line
    assert (pixels(tmp_path)[:, :252] == pictures.MAGENTA).all()


def test_a_chain_of_masks_is_shown(data, tmp_path):
    """A state that is noise only has a colour."""
    frames = [(1.0, stamp(K, 4)), (0.5, stamp(2, 4)), (0.0, stamp(1, 4))]
    film, stills, _ = run_report.of(data.facts).chain(frames, tmp_path / "drawn")
    assert (film, stills) == (f"film: {tmp_path}/drawn.gif", f"stills: {tmp_path}/drawn.png")
    assert (pixels(tmp_path)[:, :100] == pictures.GREY).any()


def test_rows_of_any_shape_have_a_plain_report(tmp_path):
    facts = Facts(5, (2, 3), name="dice")
    drawn = np.arange(-1, 5).reshape(1, 2, 3)
    lines = run_report.of(facts).samples(drawn, tmp_path / "drawn")
    assert lines[0] == "sample 1:\n    \ufffd 0 1 2 3 4"
    assert "shown as \ufffd): 16.67%" in lines[1]
    assert (tmp_path / "drawn.txt").read_text() == "\ufffd 0 1 2 3 4\n"
    chain = run_report.of(facts).chain([(1.0, np.full((1, 2, 3), 5))], None)
    assert chain == ["t = 1.00\n    " + " ".join("░" * 6)]
    assert facts.summary({"train": 3}) == "dice: train 3 rows of 2 x 3, 5 classes"


@pytest.mark.usefixtures("any_types")
def test_pictures_go_with_their_arrays(data, tmp_path):
    """Of samples, a chain and an edit: others than before are beside those."""
    for number in (3, 5):
        told(data, copies(number), tmp_path)
    first, second = ((tmp_path / f"drawn{end}.png").read_bytes() for end in ("", "-2"))
    assert first != second
    told(data, copies(3), tmp_path)
    assert (tmp_path / "drawn.png").read_bytes() == first
    assert not (tmp_path / "drawn-3.png").exists()
    report = run_report.of(data.facts)
    for code in (0, 1, 0):
        x = stamp(code, 2)
        chain = report.chain([(1.0, x), (0.0, x)], tmp_path / "chain_seed0")
        edit = report.corrected(x, x, x, tmp_path / "correct_seed0")
    assert chain == [
        *(f"{what}: {tmp_path / 'chain_seed0'}.{end}" for what, end in FILES["chain"].items())
    ]
    assert edit == [
        *(f"{what}: {tmp_path / 'correct_seed0'}.{end}" for what, end in FILES["edit"].items())
    ]
    assert {path.name for path in tmp_path.glob("c*-*")} == {
        *(f"chain_seed0-2.{end}" for end in FILES["chain"].values()),
        *(f"correct_seed0-2.{end}" for end in FILES["edit"].values()),
    }
    with np.load(tmp_path / "chain_seed0-2.npz") as kept:
        assert kept["states"].shape == (2, 2, *SHAPE)
        assert kept["times"].tolist() == [1.0, 0.0]


FILES = {
    "chain": {"film": "gif", "stills": "png", "array": "npz"},
    "edit": {"picture": "png", "array": "npz"},
}
