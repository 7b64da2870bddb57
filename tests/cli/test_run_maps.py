"""The command line on maps: bits per pixel; pictures of samples, chains and corrections."""

import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from amd_jax.evaluation import pictures
from amd_jax.experiment import load_run
from tests.cli.command import command
from tests.finished_runs import COLOURS, MAPS
from tests.runs.events import shown

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


@pytest.mark.slow
def test_training_reports_all_of_itself(run):
    out = run.out
    assert "train 36, validation 2, test 2 maps of 16 x 16 pixels" in out
    assert re.search(r"test: [\d.]+ ± [\d.]+ bits/pixel on 2 maps \(8 steps, 8 drawn each\)", out)
    assert re.search(r"neighbour distance to the test maps: 2 samples 0\.\d+, 2 training", out)
    assert "correction of 2 test maps, in each 13 of 256 pixels replaced at random:" in out
    assert re.search(r"model: restores [\d.]+% ± [\d.]+% of errors, spoils [\d.]+% ± [\d.]+%", out)
    for name in ("samples_seed0.png", "correct_seed0.png"):
        assert f"picture: runs/small_maps/{name}" in out
    assert "count models" not in out
    assert not list(run.workdir.glob("*.draft"))


@pytest.mark.slow
def test_pictures_of_a_training(run):
    samples = opened(run.workdir / "samples_seed0.png")
    width = 2 * SIDE + pictures.GAP  # of a panel
    assert samples.shape == (pictures.TITLE + SIDE, 2 * width + 3 * pictures.GAP, 3)
    assert_shows_maps(samples)
    corrected = opened(run.workdir / "correct_seed0.png")
    assert corrected.shape[1] == 3 * SIDE + 6 * pictures.GAP
    assert_shows_maps(corrected)
    damaged, original = corrected[pictures.TITLE :, :SIDE], corrected[pictures.TITLE :, -SIDE:]
    wrong = (damaged != original).any(axis=-1)[:SIDE].sum()
    assert wrong == 13 * (SIDE // 16) ** 2


@pytest.mark.slow
def test_tensorboard_has_a_picture_of_samples(run):
    (picture,) = shown(run.workdir)["samples"].values()
    assert_shows_maps(np.asarray(picture))


@pytest.mark.slow
def test_evaluate(run):
    how = ("--bound=elbo,iwbo", "--importance_samples=2", "--split=validation")
    out = run.told("--mode=evaluate", *how)
    first, second, above = out.splitlines()
    assert re.fullmatch(r"validation: .* bits/pixel on 2 maps \(8 steps, 8 drawn each\)", first)
    assert second.endswith("bits/pixel on 2 maps (importance-weighted bound, k = 2)")
    assert re.fullmatch(r"elbo minus iwbo: [+-]\d\.\d+ ± \d\.\d+ bits/pixel", above)


@pytest.mark.slow
def test_sample(run):
    out = run.told("--mode=sample", "--steps=2")
    place = "runs/small_maps/samples_seed0-2"  # beside those of the training
    assert out.splitlines() == [f"picture: {place}.png", f"array: {place}.npz"]
    with np.load(f"{place}.npz") as kept:
        assert len(kept["samples"]) == 16  # unless a number is given
    assert opened(f"{place}.png").shape[0] == pictures.TITLE + 4 * (SIDE + 4) - 4


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_map_is_edited(run):
    out = run.told("--mode=edit", "--strength=0.5", "--input=maps/00.png")
    place = "runs/small_maps/edit_seed0"
    assert out.splitlines() == [f"picture: {place}.png", f"array: {place}.npz"]
    with np.load(f"{place}.npz") as kept:
        assert kept["edited"].shape == (1, 16, 16)
    assert_shows_maps(opened(f"{place}.png"))
    other = run.told("--mode=edit").splitlines()  # of a split
    assert other == [f"picture: {place}-2.png", f"array: {place}-2.npz"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sample", "correct"])
def test_a_full_disk_keeps_the_old_picture(mode, run, monkeypatch):
    def full(self, file, *_, **__):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in run.workdir.glob("*.png")}
    monkeypatch.setattr(Image.Image, "save", full)
    assert "No space left on device" in run(f"--mode={mode}").error
    assert {path: path.read_bytes() for path in run.workdir.glob("*.png")} == before
    assert not list(run.workdir.glob("*.draft"))


@pytest.mark.slow
def test_void_pixels_and_maps_of_another_size(tmp_path):
    """`void` is one category more, `size` takes the nearest pixels."""
    maps = np.random.default_rng(0).integers(3, size=(40, 8, 12)).astype(np.uint8)
    maps[:, :2] = 255
    np.save(tmp_path / "maps.npy", maps)
    numbers = (f"--config.data.path={tmp_path / 'maps.npy'}", f"--workdir={tmp_path / 'run'}")
    error = command(MAPS, *numbers).error
    assert "void=255" in error
    size = "--config.data.size=(4, 6)"
    void = ("--config.data.void=255", size, "--num_texts=2", "--num_samples=1")
    result = command(MAPS, *numbers, *void)
    assert result.ending is None, result.ending
    seen, _ = load_run(tmp_path / "run")
    assert (seen.facts.num_classes, seen.facts.event_shape) == (4, (4, 6))
    np.testing.assert_array_equal(seen.data.rows("train")[0, 1:], maps[0, 3::2, 1::2])
    assert (seen.data.rows("train")[:, 0] == 3).all()
