"""Segmentation maps: batches, augmentation, and your own maps in every form they come in."""

import itertools
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from amd_jax.data import maps
from tests import enumeration

ROOT = pathlib.Path(__file__).parents[2]
SPLITS = ("train", "validation", "test")
SIZES = {"train": 10, "validation": 3, "test": 2}
COLOURS = np.array([(0, 0, 0), (128, 64, 128), (70, 70, 70)], np.uint8)


def draw(count: int, height: int = 4, width: int = 6, k: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(k, size=(count, height, width), dtype=np.uint8)


def make(splits=None, **changes) -> maps.Maps:
    splits = splits or {split: draw(count, seed=count) for split, count in SIZES.items()}
    parts = dict(num_classes=3, event_shape=(4, 6), palette=COLOURS, name="mine") | changes
    return maps.Maps(maps=splits, **parts)


def save(folder, labels: np.ndarray, mode: str = "L", palette=None) -> None:
    """Write maps as PNGs: 00.png, 01.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(labels):
        image = Image.fromarray(pixels)
        if mode == "P":
            image.putpalette(palette.ravel().tolist())
        assert image.mode == mode
        image.save(folder / f"{i:02}.png")


@pytest.fixture
def whole():
    """Twenty maps: 18 to train on, one for validation and one for test."""
    return draw(20)


def assert_holds(data: maps.Maps, whole: np.ndarray) -> None:
    got = [data.rows(split) for split in SPLITS]
    assert [len(part) for part in got] == [18, 1, 1]
    assert all(part.dtype == np.uint8 for part in got)
    np.testing.assert_array_equal(np.concatenate(got), whole)


# Batches


@pytest.mark.parametrize("augment", [False, True])
def test_a_batch_is_a_pure_function_of_seed_and_step(augment):
    first, second = make(augment=augment), make(augment=augment)
    want = first.batch(seed=3, step=7, batch_size=8)
    second.batch(seed=3, step=5, batch_size=8)  # what came before does not matter
    assert (want.shape, want.dtype, type(want)) == ((8, 4, 6), np.uint8, np.ndarray)
    np.testing.assert_array_equal(second.batch(seed=3, step=7, batch_size=8), want)
    assert (first.batch(seed=3, step=8, batch_size=8) != want).any()
    assert (first.batch(seed=4, step=7, batch_size=8) != want).any()


def test_an_epoch_covers_each_map_once():
    data = make()
    epoch = np.concatenate([data.batch(seed=0, step=step, batch_size=5) for step in range(2)])
    np.testing.assert_array_equal(np.unique(epoch, axis=0), np.unique(data.rows("train"), axis=0))


def variants(x: np.ndarray, pad_rows: int, pad_columns: int) -> dict[bytes, int]:
    """Every padded, cropped and flipped copy of a map (H, W) -> its number."""
    height, width = x.shape
    padded = np.pad(x, ((pad_rows, pad_rows), (pad_columns, pad_columns)), mode="edge")
    result = {}
    for i, j in itertools.product(range(2 * pad_rows + 1), range(2 * pad_columns + 1)):
        crop = padded[i : i + height, j : j + width]
        for copy in (crop, crop[:, ::-1]):
            result[copy.tobytes()] = len(result)
    return result


@pytest.mark.parametrize(("shape", "padding"), [((32, 64), (2, 4)), ((20, 8), (1, 1))])
def test_augmentation_is_uniform_over_shifts_and_flips(shape, padding):
    x = draw(1, *shape, k=256)[0]
    numbers = variants(x, *padding)
    many = maps.augmented(np.broadcast_to(x, (4000, *shape)), 0, 3, 4000)
    got = np.array([numbers[copy.tobytes()] for copy in many])  # KeyError: no such copy
    enumeration.assert_drawn_from(got, np.full(len(numbers), 1 / len(numbers)))


def test_augmentation_is_a_pure_function_and_leaves_its_input_alone():
    x = draw(16, 32, 64)
    before = x.copy()
    want = maps.augmented(x, 1, 2, 16)
    np.testing.assert_array_equal(maps.augmented(x, 1, 2, 16), want)
    for seed, step in ((1, 3), (2, 2)):
        assert (maps.augmented(x, seed, step, 16) != want).any()
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("split", SPLITS)
def test_what_is_evaluated_is_never_augmented(split):
    plain, augmenting = make(), make(augment=True)
    augmenting.batch(seed=0, step=0, batch_size=4)
    np.testing.assert_array_equal(augmenting.rows(split), plain.rows(split))
    assert (augmenting.batch(0, 1, 4) != plain.batch(0, 1, 4)).any()


def test_nothing_is_read_before_it_is_needed_and_then_once():
    calls = []

    def read():
        calls.append("train")
        return draw(5)

    data = make({"train": read})
    assert (data.event_shape, data.num_classes, data.splits) == ((4, 6), 3, ("train",))
    assert calls == []
    for step in range(3):
        data.batch(0, step, 2)
    assert data.facts.frequencies
    assert calls == ["train"]


def test_frequencies_are_smoothed_shares():
    data = make({"train": np.array([[[0, 0, 0, 1]]], np.uint8)}, event_shape=(1, 4))
    np.testing.assert_allclose(data.facts.frequencies, [4 / 7, 2 / 7, 1 / 7])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (draw(5).astype(np.int32), r"uint8 \(N, 4, 6\); test of mine is int32 \(5, 4, 6\)"),
        (draw(5, 4, 5), r"test of mine is uint8 \(5, 4, 5\)"),
        (draw(5)[0], r"test of mine is uint8 \(4, 6\)"),
        (draw(0), r"test of mine is uint8 \(0, 4, 6\)\. Give it one map or more"),
        (
            np.pad(np.array([[[7]]], np.uint8), ((3, 0), (2, 1), (0, 5))),
            r"\[0, 3\); got 7 in map 3 of test of mine at row 2, column 0\. "
            r"Number them from 0 on, or use num_classes=8\.",
        ),
    ],
)
def test_bad_maps_are_refused(array, message):
    with pytest.raises(ValueError, match=message):
        make({"train": array, "test": array}).rows("test")


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(num_classes=1), "2 to 256 categories; got 1"),
        (dict(num_classes=257), "2 to 256 categories; got 257"),
        (dict(event_shape=(4,)), r"a height and a width; got \(4,\)"),
        (dict(num_classes=4), "for each of 4 categories; that of mine has 3"),
        (dict(palette=[(0, 0, 256)] * 3), "each 0 to 255, for each of 3 categories"),
        (dict(names=("sky", "sea")), "3 names, or none; mine has 2"),
    ],
)
def test_bad_parts_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_a_batch_larger_than_the_data_and_an_unknown_split_are_refused():
    with pytest.raises(ValueError, match=r"mine has 10, fewer than 11\. .*batch_size=10 or less"):
        make().batch(0, 0, 11)
    with pytest.raises(ValueError, match="mine has no split 'val'; it has train, validation"):
        make().rows("val")


# Colours


def test_colours_differ_and_do_not_depend_on_their_number():
    every = maps.colours(256).astype(int)
    for k in (2, 12, 13, 40, 256):
        got = maps.colours(k)
        assert (got.shape, got.dtype) == ((k, 3), np.uint8)
        np.testing.assert_array_equal(got, every[:k])
    distance = np.sqrt(((every[:, None] - every) ** 2).sum(axis=-1))
    distance[np.diag_indices(256)] = np.inf
    assert distance[:12, :12].min() > 60
    assert distance[:32, :32].min() > 40
    assert distance.min() > 8


# Your own maps


@pytest.mark.parametrize("mode", ["P", "L", "I;16"])
def test_a_folder_of_pngs(whole, tmp_path, mode):
    labels = whole.astype(np.uint16) if mode == "I;16" else whole
    save(tmp_path / "land", labels, mode, palette=COLOURS)
    (tmp_path / "land" / "read me.txt").write_text("not a map")
    data = maps.load(str(tmp_path / "land"))
    assert_holds(data, whole)
    assert (data.num_classes, data.event_shape, data.name) == (3, (4, 6), "land")
    want = COLOURS if mode == "P" else maps.colours(3)
    np.testing.assert_array_equal(data.palette, want)
    assert data.augment
    assert not maps.load(str(tmp_path / "land"), augment=False).augment


def test_black_and_white_pngs(tmp_path):
    labels = draw(12, k=2)
    save(tmp_path, labels.astype(bool), "1")
    data = maps.load(str(tmp_path))
    assert data.num_classes == 2
    np.testing.assert_array_equal(data.rows("train"), labels[:10])


def test_a_short_palette_is_completed(whole, tmp_path):
    save(tmp_path, whole, "P", palette=COLOURS)
    palette = maps.load(str(tmp_path), num_classes=5).palette
    np.testing.assert_array_equal(palette, np.concatenate([COLOURS, maps.colours(5)[3:]]))


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_subfolders_are_splits(tmp_path, validation):
    want = {"train": draw(3), validation: draw(2, seed=1), "test": draw(1, seed=2)}
    for name, labels in want.items():
        save(tmp_path / name, labels)
    data = maps.load(str(tmp_path))
    for split, labels in zip(SPLITS, want.values(), strict=True):
        np.testing.assert_array_equal(data.rows(split), labels)


@pytest.mark.parametrize("alpha", [False, True])
def test_rgb_pngs_with_a_palette(whole, tmp_path, alpha):
    pixels = COLOURS[whole]
    if alpha:
        pixels = np.pad(pixels, [(0, 0)] * 3 + [(0, 1)], constant_values=255)
    save(tmp_path, pixels, "RGBA" if alpha else "RGB")
    data = maps.load(str(tmp_path), palette=[*COLOURS.tolist(), (1, 2, 3)])
    assert_holds(data, whole)
    assert data.num_classes == 4  # though only three of the colours occur
    assert data.palette[3].tolist() == [1, 2, 3]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_an_array_in_a_file(whole, tmp_path, dtype):
    np.save(tmp_path / "maps.npy", whole.astype(dtype))
    data = maps.load(str(tmp_path / "maps.npy"), num_classes=8)
    assert_holds(data, whole)
    assert data.num_classes == 8


def test_a_uint8_array_is_mapped_not_read(whole, tmp_path):
    np.save(tmp_path / "maps.npy", whole)
    base = maps.load(str(tmp_path / "maps.npy")).rows("train")
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


def test_an_archive_of_arrays(whole, tmp_path):
    np.savez(tmp_path / "one.npz", whole)
    assert_holds(maps.load(str(tmp_path / "one.npz")), whole)
    parts = dict(zip(("test", "val", "train"), np.split(whole, [1, 2]), strict=True))
    np.savez_compressed(tmp_path / "three.npz", **parts, extra=np.arange(3))
    data = maps.load(str(tmp_path / "three.npz"))
    for split, name in zip(SPLITS, ("train", "val", "test"), strict=True):
        np.testing.assert_array_equal(data.rows(split), parts[name])


ORDERS = {
    "fortran": np.asfortranarray,
    "big-endian": lambda array: array.astype(">i4"),
    "both": lambda array: np.asfortranarray(array.astype(">u2")),
    "bool": lambda array: array > 0,
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_arrays_however_they_lie_in_a_file(whole, tmp_path, save, order):
    array = ORDERS[order](whole)
    save(tmp_path / "maps.npz", array) if save != np.save else save(tmp_path / "maps.npy", array)
    (file,) = tmp_path.iterdir()
    assert_holds(maps.load(str(file)), np.asarray(array, np.uint8))


def test_many_maps_are_looked_at_in_blocks(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("amd_jax.data.reading.labels.BLOCK", 2 * whole[0].size)
    np.save(tmp_path / "maps.npy", np.where(whole == 2, 255, whole).astype(np.int16))
    data = maps.load(str(tmp_path / "maps.npy"), void=255)
    assert_holds(data, whole)
    twice = maps.load(str(tmp_path / "maps.npy"), void=255, size=(8, 12))
    assert_holds(twice, whole.repeat(2, axis=1).repeat(2, axis=2))
    whole[17, 3, 4] = 9
    np.save(tmp_path / "maps.npy", whole)
    one_line(tmp_path / "maps.npy", r"got 9 in map 17 of .* at row 3, column 4", num_classes=3)
    assert maps.load(str(tmp_path / "maps.npy")).num_classes == 10


def test_pngs_are_converted_in_strips(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("amd_jax.data.reading.label_pngs.STRIP", 12)
    save(tmp_path, COLOURS[whole], "RGB")
    assert_holds(maps.load(str(tmp_path), palette=COLOURS.tolist()), whole)
    pixels = COLOURS[whole]
    pixels[3, 3, 2] = (1, 2, 3)
    save(tmp_path, pixels, "RGB")
    one_line(
        tmp_path, r"got \(1, 2, 3\) in .*03\.png at row 3, column 2", palette=COLOURS.tolist()
    )


def test_maps_that_memory_cannot_hold_are_refused(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("amd_jax.host.memory.free_bytes", lambda: 479)
    np.save(tmp_path / "maps.npy", whole)
    assert_holds(maps.load(str(tmp_path / "maps.npy")), whole)  # it stays on the disk
    np.save(tmp_path / "maps.npy", whole.astype(int))
    one_line(
        tmp_path / "maps.npy", "of which 479 bytes are free; they take 480. Make them smaller"
    )
    save(tmp_path / "land", whole)
    one_line(tmp_path / "land", "of which 479 bytes are free; they take 480")
    np.savez(tmp_path / "maps.npz", whole)
    one_line(tmp_path / "maps.npz", "of which 479 bytes are free; they take 480")
    assert maps.load(str(tmp_path / "land"), size=(2, 3)).event_shape == (2, 3)


LARGE = """
import re, sys
from amd_jax.data import maps
data = maps.load(sys.argv[1])
assert len(data.rows("train")) == 900
print(int(re.search(r"RssAnon:[^0-9]*([0-9]+)", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_array_of_a_gigabyte_stays_on_the_disk(tmp_path):
    file = tmp_path / "maps.npy"
    np.lib.format.open_memmap(file, "w+", np.uint8, (1000, 1024, 1024))  # holes
    command = [sys.executable, "-c", LARGE, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) < 300, f"{done.stdout} MB are not of the file"


@pytest.mark.slow
def test_an_archive_of_hundreds_of_megabytes_is_inflated(tmp_path):
    np.savez_compressed(tmp_path / "maps.npz", np.zeros((400, 1024, 1024), np.uint8))
    assert len(maps.load(str(tmp_path / "maps.npz")).rows("train")) == 360


@pytest.mark.parametrize(("count", "fits"), [(10, False), (11, True), (2, False), (0, False)])
def test_every_split_has_a_map(tmp_path, count, fits):
    np.save(tmp_path / "maps.npy", draw(count))
    if fits:
        assert [len(maps.load(tmp_path / "maps.npy").rows(split)) for split in SPLITS] == [9, 1, 1]
    else:
        with pytest.raises(ValueError, match=rf"needs 11; found {count}|has \({count}, 4, 6\)"):
            maps.load(tmp_path / "maps.npy")


def one_line(path, message, **arguments):
    with pytest.raises(ValueError, match=message) as error:
        maps.load(str(path), **arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_places_without_maps_are_refused(tmp_path, whole):
    one_line(tmp_path / "absent", "found nothing at .*absent. Check the path")
    one_line(tmp_path, "found none in .*, which holds nothing")
    (tmp_path / "a.jpg").write_bytes(b"")
    one_line(tmp_path, "found none in .*, which holds 1 .jpg")
    save(tmp_path / "few", whole[:4])
    one_line(tmp_path / "few", r"few needs 11; found 4\. .*train, validation and test")
    save(tmp_path / "train", whole)
    assert maps.load(str(tmp_path)).splits == ("train",)
    (tmp_path / "val").mkdir()
    one_line(tmp_path, "found no PNG in .*validation or val.*90/5/5")


def test_maps_of_different_sizes_are_refused(tmp_path, whole):
    save(tmp_path, whole)
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(tmp_path / "zz.png")
    said = one_line(tmp_path, r"00\.png has 4 x 6, .*zz\.png has 5 x 6")
    assert "Resize them: size=(4, 6)" in said
    assert maps.load(str(tmp_path), size=(4, 6)).event_shape == (4, 6)
    np.savez(tmp_path / "maps.npz", train=whole, val=whole, test=draw(3, 5, 5))
    one_line(tmp_path / "maps.npz", r"test of maps\.npz is uint8 \(3, 5, 5\)")


def test_a_category_outside_the_range_is_named(tmp_path, whole):
    whole[7, 2, 5] = 9
    save(tmp_path / "land", whole)
    said = one_line(
        tmp_path / "land", r"\[0, 3\); got 9 in .*07\.png at row 2, column 5", num_classes=3
    )
    assert "or use num_classes=10" in said
    assert maps.load(str(tmp_path / "land")).num_classes == 10

    np.save(tmp_path / "maps.npy", whole.astype(int) - 1)
    one_line(
        tmp_path / "maps.npy", r"\[0, 256\); got -1 in map 0 of .*maps\.npy at row 1, column 0"
    )
    whole = whole.astype(np.uint16)
    whole[3, 1, 1] = 300
    np.save(tmp_path / "maps.npy", whole)
    one_line(tmp_path / "maps.npy", r"\[0, 256\); got 300 in map 3 of .* at row 1, column 1")
    save(tmp_path / "deep", whole, "I;16")
    one_line(tmp_path / "deep", r"\[0, 256\); got 300 in .*03\.png at row 1, column 1")


def test_colours_without_a_meaning_are_refused(tmp_path, whole):
    pixels = COLOURS[whole]
    save(tmp_path, pixels, "RGB")
    one_line(tmp_path, r"00\.png holds RGB colours\. Save indices .* palette=")
    pixels[3, 1, 2] = (1, 2, 3)
    save(tmp_path, pixels, "RGB")
    palette = COLOURS.tolist()
    one_line(
        tmp_path, r"palette of 3; got \(1, 2, 3\) in .*03\.png at row 1, column 2", palette=palette
    )


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (dict(num_classes=1), "2 to 256 categories; got num_classes=1. Use num_classes=0"),
        (dict(num_classes=257), "got num_classes=257"),
        (dict(num_classes=-1), "got num_classes=-1"),
        (dict(num_classes=4, palette=COLOURS), "got 3 with num_classes=4"),
        (dict(palette=[(0, 0, 0), (0, 0, 0)]), "none twice; got 2"),
        (dict(palette=[(0, 0, 0), (0, 0, 256)]), "each 0 to 255"),
        (dict(palette=[(0, 0), (0, 1)]), "red, green, blue"),
    ],
)
def test_numbers_that_cannot_be_are_refused(tmp_path, whole, numbers, message):
    np.save(tmp_path / "maps.npy", whole)
    one_line(tmp_path / "maps.npy", message, **numbers)


def test_an_archive_without_the_splits_is_refused(tmp_path, whole):
    np.savez(tmp_path / "maps.npz", test=whole, val=whole)
    one_line(tmp_path / "maps.npz", r"validation \(or val\) and test; .* holds test, val\. Save")
    np.savez(tmp_path / "maps.npz", train=whole, test=whole)
    assert maps.load(str(tmp_path / "maps.npz")).splits == ("train", "test")
    np.savez(tmp_path / "maps.npz", train=whole, test=whole, val=whole / 2)
    one_line(tmp_path / "maps.npz", "validation in .* holds float64")


def test_void_pixels_become_the_last_category(tmp_path, whole):
    whole[2, 1] = 255
    np.save(tmp_path / "maps.npy", whole)
    data = maps.load(str(tmp_path / "maps.npy"), void=255)
    assert data.num_classes == 4
    np.testing.assert_array_equal(data.rows("train"), np.where(whole == 255, 3, whole)[:18])
    assert data.facts.palette[3] == (0, 0, 0)
    assert maps.load(str(tmp_path / "maps.npy"), num_classes=7, void=255).num_classes == 8
    one_line(tmp_path / "maps.npy", r"\[0, 3\); got 255 in map 2", num_classes=3)


def test_maps_are_resized_by_the_nearest_pixel(tmp_path):
    whole = draw(20, 8, 12)
    np.save(tmp_path / "maps.npy", whole)
    half = maps.load(str(tmp_path / "maps.npy"), size=(4, 6)).rows("train")
    np.testing.assert_array_equal(half, whole[:18, 1::2, 1::2])
    twice = maps.load(str(tmp_path / "maps.npy"), size=(16, 24)).rows("train")
    np.testing.assert_array_equal(twice, whole[:18].repeat(2, axis=1).repeat(2, axis=2))
