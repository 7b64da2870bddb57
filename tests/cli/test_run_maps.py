"""The command line on maps: bits per pixel; pictures of samples, chains and corrections."""

import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from amd_jax.evaluation import pictures
from tests.finished_runs import COLOURS
from tests.runs.events import shown

pytestmark = pytest.mark.slow
SIDE = 256  # of a map of 16 x 16 in the pictures


@pytest.fixture
def run(finished):
    return finished("maps")


def opened(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def assert_shows_maps(pixels):
    """One picture of maps: its colours, and the sizes of its squares."""
    below = pixels[pictures.TITLE :].reshape(-1, 3)
    seen = set(map(tuple, np.unique(below, axis=0).tolist()))
    assert seen <= {*COLOURS, (255, 255, 255)}
    assert len(seen) > 2


def test_training_reports_all_of_itself(run):
    out = run.out
    assert "train 36, validation 2, test 2 maps of 16 x 16 pixels" in out
    assert re.search(r"test: [\d.]+ ± [\d.]+ bits/pixel on 2 maps \(8 steps, 8 drawn each\)", out)
    assert re.search(r"neighbour distance to the test maps: 2 samples 0\.\d+, 2 training", out)
    assert "correction of 2 test maps, in each 13 of 256 pixels replaced at random:" in out
    assert re.search(r"model: restores [\d.]+% ± [\d.]+% of errors, spoils [\d.]+% ± [\d.]+%", out)
    assert "count models" not in out
    assert not list(run.workdir.glob("*.draft"))
    assert "picture: runs/small_maps/samples_seed0.png" in out
    samples = opened(run.workdir / "samples_seed0.png")
    width = 2 * SIDE + pictures.GAP  # of a panel
    assert samples.shape == (pictures.TITLE + SIDE, 2 * width + 3 * pictures.GAP, 3)
    assert_shows_maps(samples)
    assert "picture: runs/small_maps/correct_seed0.png" in out
    corrected = opened(run.workdir / "correct_seed0.png")
    assert corrected.shape[1] == 3 * SIDE + 6 * pictures.GAP
    assert_shows_maps(corrected)
    damaged, original = corrected[pictures.TITLE :, :SIDE], corrected[pictures.TITLE :, -SIDE:]
    wrong = (damaged != original).any(axis=-1)[:SIDE].sum()
    assert wrong == 13 * (SIDE // 16) ** 2
    (picture,) = shown(run.workdir)["samples"].values()  # in TensorBoard
    assert_shows_maps(np.asarray(picture))


def test_evaluate(run):
    how = ("--bound=elbo,iwbo", "--importance_samples=2", "--split=validation")
    first, second, above = run.told("--mode=evaluate", *how).splitlines()
    assert re.fullmatch(r"validation: .* bits/pixel on 2 maps \(8 steps, 8 drawn each\)", first)
    assert second.endswith("bits/pixel on 2 maps (importance-weighted bound, k = 2)")
    assert re.fullmatch(r"elbo minus iwbo: [+-]\d\.\d+ ± \d\.\d+ bits/pixel", above)


def test_sample(run):
    out = run.told("--mode=sample", "--steps=2")
    place = "runs/small_maps/samples_seed0-2"  # beside those of the training
    assert out.splitlines() == [f"picture: {place}.png", f"array: {place}.npz"]
    with np.load(f"{place}.npz") as kept:
        assert len(kept["samples"]) == 16  # unless a number is given
    assert opened(f"{place}.png").shape[0] == pictures.TITLE + 4 * (SIDE + 4) - 4


def test_chain(run):
    out = run.told("--mode=sample", "--chain")
    place = pathlib.Path("runs/small_maps")
    film, stills, array = (place / f"chain_seed0.{end}" for end in ("gif", "png", "npz"))
    assert out.splitlines() == [f"film: {film}", f"stills: {stills}", f"array: {array}"]
    with Image.open(film) as frames:
        assert frames.n_frames == 9  # noise, and what each of 8 steps makes of it
    assert_shows_maps(opened(film))
    pixels = opened(stills)
    assert pixels.shape[1] == 9 * (128 + 3 * pictures.GAP) - 3 * pictures.GAP
    assert_shows_maps(pixels)


def test_a_map_is_edited(run):
    out = run.told("--mode=edit", "--strength=0.5", "--input=maps/00.png")
    place = "runs/small_maps/edit_seed0"
    assert out.splitlines() == [f"picture: {place}.png", f"array: {place}.npz"]
    with np.load(f"{place}.npz") as kept:
        assert kept["edited"].shape == (1, 16, 16)
    assert_shows_maps(opened(f"{place}.png"))


def test_a_full_disk_keeps_the_old_picture(run, monkeypatch):
    def full(self, file, *_, **__):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in run.workdir.glob("*.png")}
    monkeypatch.setattr(Image.Image, "save", full)
    assert "No space left on device" in run("--mode=sample").error
    assert {path: path.read_bytes() for path in run.workdir.glob("*.png")} == before
    assert not list(run.workdir.glob("*.draft"))
