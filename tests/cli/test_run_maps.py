"""The command line on maps: bits per pixel; pictures of samples, chains and corrections."""

import re

import numpy as np
import pytest
from PIL import Image

from amd_jax.evaluation import pictures
from amd_jax.experiment import load_run
from tests.cli.command import ROOT, command
from tests.runs.events import shown

MAPS = f"--config={ROOT / 'tests' / 'cli' / 'small_maps.py'}"
COLOURS = [(0, 0, 0), (128, 64, 128), (70, 130, 180)]
SIDE = 256  # of a map of 16 x 16 in the pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty maps of 16 x 16 pixels in three categories, as PNGs with a palette."""
    folder = tmp_path_factory.mktemp("maps")
    rng = np.random.default_rng(0)
    for i in range(40):
        pixels = np.zeros((16, 16), np.uint8)
        pixels[rng.integers(16) :, rng.integers(16) :] = rng.integers(1, 3)
        image = Image.fromarray(pixels)
        image.putpalette(np.ravel(COLOURS).tolist())
        image.save(folder / f"{i:02}.png")
    return folder


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A finished run, and what its command printed: (workdir, Result)."""
    workdir = tmp_path_factory.mktemp("runs") / "maps"
    path = f"--config.data.path={folder}"
    return workdir, command(MAPS, path, f"--workdir={workdir}", "--num_samples=2")


def told(trained, *arguments):
    """What a later command on the run prints."""
    result = command(MAPS, f"--workdir={trained[0]}", *arguments)
    assert result.ending is None, result.ending
    return result.out


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
def test_training_reports_all_of_itself(trained):
    workdir, result = trained
    assert result.ending is None, result.ending
    out = result.out
    assert "train 36, validation 2, test 2 maps of 16 x 16 pixels" in out
    assert re.search(r"test: [\d.]+ ± [\d.]+ bits/pixel on 2 maps \(8 steps, 8 drawn each\)", out)
    assert re.search(r"neighbour distance to the test maps: 2 samples 0\.\d+, 2 training", out)
    assert "correction of 2 test maps, in each 13 of 256 pixels replaced at random:" in out
    assert re.search(r"model: restores [\d.]+% ± [\d.]+% of errors, spoils [\d.]+% ± [\d.]+%", out)
    for name in ("samples_seed0.png", "correct_seed0.png"):
        assert f"picture: {workdir / name}" in out
    assert "count models" not in out
    assert not list(workdir.glob("*.draft"))


@pytest.mark.slow
def test_pictures_of_a_training(trained):
    samples = opened(trained[0] / "samples_seed0.png")
    width = 2 * SIDE + pictures.GAP  # of a panel
    assert samples.shape == (pictures.TITLE + SIDE, 2 * width + 3 * pictures.GAP, 3)
    assert_shows_maps(samples)
    corrected = opened(trained[0] / "correct_seed0.png")
    assert corrected.shape[1] == 3 * SIDE + 6 * pictures.GAP
    assert_shows_maps(corrected)
    damaged, original = corrected[pictures.TITLE :, :SIDE], corrected[pictures.TITLE :, -SIDE:]
    wrong = (damaged != original).any(axis=-1)[:SIDE].sum()
    assert wrong == 13 * (SIDE // 16) ** 2


@pytest.mark.slow
def test_tensorboard_has_a_picture_of_samples(trained):
    (picture,) = shown(trained[0])["samples"].values()
    assert_shows_maps(np.asarray(picture))


@pytest.mark.slow
def test_evaluate(trained):
    how = ("--bound=elbo,iwbo", "--importance_samples=2", "--split=validation")
    out = told(trained, "--mode=evaluate", *how)
    first, second, above = out.splitlines()
    assert re.fullmatch(r"validation: .* bits/pixel on 2 maps \(8 steps, 8 drawn each\)", first)
    assert second.endswith("bits/pixel on 2 maps (importance-weighted bound, k = 2)")
    assert re.fullmatch(r"elbo minus iwbo: [+-]\d\.\d+ ± \d\.\d+ bits/pixel", above)


@pytest.mark.slow
def test_sample(trained):
    out = told(trained, "--mode=sample", "--steps=2")
    place = trained[0] / "samples_seed0-2"  # beside those of the training
    assert out.splitlines() == [f"picture: {place}.png", f"array: {place}.npz"]
    with np.load(f"{place}.npz") as kept:
        assert len(kept["samples"]) == 16  # unless a number is given
    assert opened(f"{place}.png").shape[0] == pictures.TITLE + 4 * (SIDE + 4) - 4


@pytest.mark.slow
def test_chain(trained):
    workdir, _ = trained
    out = told(trained, "--mode=sample", "--chain")
    film, stills, array = (workdir / f"chain_seed0.{end}" for end in ("gif", "png", "npz"))
    assert out.splitlines() == [f"film: {film}", f"stills: {stills}", f"array: {array}"]
    with Image.open(film) as frames:
        assert frames.n_frames == 9  # noise, and what each of 8 steps makes of it
    assert_shows_maps(opened(film))
    pixels = opened(stills)
    assert pixels.shape[1] == 9 * (128 + 3 * pictures.GAP) - 3 * pictures.GAP
    assert_shows_maps(pixels)


@pytest.mark.slow
def test_a_map_is_edited(trained, folder):
    given = f"--input={folder / '00.png'}"
    out = told(trained, "--mode=edit", "--strength=0.5", given)
    place = trained[0] / "edit_seed0"
    assert out.splitlines() == [f"picture: {place}.png", f"array: {place}.npz"]
    with np.load(f"{place}.npz") as kept:
        assert kept["edited"].shape == (1, 16, 16)
    assert_shows_maps(opened(f"{place}.png"))
    other = told(trained, "--mode=edit").splitlines()  # of a split
    assert other == [f"picture: {place}-2.png", f"array: {place}-2.npz"]


def test_text_is_refused(trained, folder, tmp_path):
    error = command(MAPS, f"--workdir={trained[0]}", "--mode=correct", "--text=sky").error
    assert "--text is for data that are text; this experiment has maps. Leave it out" in error
    workdir = tmp_path / "run"
    path = f"--config.data.path={folder}"
    assert command(MAPS, path, f"--workdir={workdir}", "--text=sky").error == error
    assert not workdir.exists()


@pytest.mark.few(1)
@pytest.mark.parametrize("mode", ["sample", "correct"])
def test_a_full_disk_keeps_the_old_picture(mode, trained, monkeypatch):
    def full(self, file, *_, **__):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in trained[0].glob("*.png")}
    monkeypatch.setattr(Image.Image, "save", full)
    arguments = (MAPS, f"--workdir={trained[0]}", f"--mode={mode}")
    assert "No space left on device" in command(*arguments).error
    assert {path: path.read_bytes() for path in trained[0].glob("*.png")} == before
    assert not list(trained[0].glob("*.draft"))


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
