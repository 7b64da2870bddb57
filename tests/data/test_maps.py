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


WHOLE = draw(20)  # 18 maps to train on, one for validation and one for test


def make(splits=None, **changes) -> maps.Maps:
    splits = splits or {split: draw(count, seed=count) for split, count in SIZES.items()}
    parts = dict(num_classes=3, event_shape=(4, 6), palette=COLOURS, name="mine") | changes
    return maps.Maps(maps=splits, **parts)


def save(folder, labels: np.ndarray, palette=None) -> None:
    """Write maps as PNGs: 00.png, 01.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(labels):
        image = Image.fromarray(pixels)
        if palette is not None:
            image.putpalette(palette.ravel().tolist())
        image.save(folder / f"{i:02}.png")


def put(folder, kind: str, content) -> pathlib.Path:
    """Write an array of maps as a .npy, several by name as a .npz, or PNGs; return the path."""
    path = folder / f"land{kind}"
    if kind == ".npy":
        np.save(path, content)
    elif kind == ".npz":
        np.savez(path, **content)
    else:
        save(path, content)
    return path


def assert_holds(data: maps.Maps, whole: np.ndarray = WHOLE) -> None:
    got = [data.rows(split) for split in SPLITS]
    assert [len(part) for part in got] == [18, 1, 1]
    assert all(part.dtype == np.uint8 for part in got)
    np.testing.assert_array_equal(np.concatenate(got), whole)


def one_line(path, message, **arguments):
    with pytest.raises(ValueError, match=message) as error:
        maps.load(str(path), **arguments)
    assert "\n" not in str(error.value)


# Batches


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
    x = np.broadcast_to(x, (4000, *shape))  # which cannot be written to
    many = maps.augmented(x, 0, 3, 4000)
    got = np.array([numbers[copy.tobytes()] for copy in many])  # KeyError: no such copy
    enumeration.assert_drawn_from(got, np.full(len(numbers), 1 / len(numbers)))
    for seed, step in ((0, 4), (1, 3)):
        assert (maps.augmented(x, seed, step, 4000) != many).any()


def test_what_is_evaluated_is_never_augmented():
    plain, augmenting = make(), make(augment=True)
    assert (augmenting.batch(0, 1, 4) != plain.batch(0, 1, 4)).any()
    for split in SPLITS:
        np.testing.assert_array_equal(augmenting.rows(split), plain.rows(split))


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


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match=r"mine has 10, fewer than 11\. .*batch_size=10 or less"):
        make().batch(0, 0, 11)


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


@pytest.mark.parametrize(
    ("dtype", "palette"), [(np.uint8, COLOURS), (np.uint8, None), (np.uint16, None)]
)
def test_a_folder_of_pngs(tmp_path, dtype, palette):
    save(tmp_path / "land", WHOLE.astype(dtype), palette)
    (tmp_path / "land" / "read me.txt").write_text("not a map")
    data = maps.load(str(tmp_path / "land"))
    assert_holds(data)
    assert (data.num_classes, data.event_shape, data.name) == (3, (4, 6), "land")
    want = np.concatenate([maps.colours(3) if palette is None else palette, maps.colours(5)[3:]])
    np.testing.assert_array_equal(data.palette, want[:3])
    np.testing.assert_array_equal(maps.load(str(tmp_path / "land"), num_classes=5).palette, want)
    assert data.augment
    assert not maps.load(str(tmp_path / "land"), augment=False).augment


def test_black_and_white_pngs(tmp_path):
    labels = draw(12, k=2)
    save(tmp_path, labels.astype(bool))
    data = maps.load(str(tmp_path))
    assert data.num_classes == 2
    np.testing.assert_array_equal(data.rows("train"), labels[:10])


@pytest.mark.parametrize("validation", ["validation", "val"])
@pytest.mark.parametrize("archive", [False, True])
def test_subfolders_and_arrays_are_splits(tmp_path, validation, archive):
    want = {"test": draw(1, seed=2), validation: draw(2, seed=1), "train": draw(3)}
    if archive:
        np.savez_compressed(tmp_path / "maps.npz", **want, extra=np.arange(3))
    else:
        for name, labels in want.items():
            save(tmp_path / name, labels)
    data = maps.load(str(tmp_path / "maps.npz" if archive else tmp_path))
    for split, name in zip(SPLITS, ("train", validation, "test"), strict=True):
        np.testing.assert_array_equal(data.rows(split), want[name])


@pytest.mark.parametrize("alpha", [0, 1])
def test_rgb_pngs_with_a_palette(tmp_path, alpha):
    save(tmp_path, np.pad(COLOURS[WHOLE], [(0, 0)] * 3 + [(0, alpha)], constant_values=255))
    data = maps.load(str(tmp_path), palette=[*COLOURS.tolist(), (1, 2, 3)])
    assert_holds(data)
    assert data.num_classes == 4  # though only three of the colours occur
    assert data.palette[3].tolist() == [1, 2, 3]


ARRAYS = {
    "uint8": lambda array: array,
    "int64": lambda array: array.astype(np.int64),
    "fortran": np.asfortranarray,
    "big-endian": lambda array: array.astype(">i4"),
    "both": lambda array: np.asfortranarray(array.astype(">u2")),
    "bool": lambda array: array > 0,
}


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_arrays_however_they_lie_in_a_file(tmp_path, save, kind):
    array = ARRAYS[kind](WHOLE)
    path = tmp_path / ("maps.npy" if save is np.save else "maps.npz")
    save(path, array)
    data = maps.load(str(path), num_classes=8)
    assert_holds(data, np.asarray(array, np.uint8))
    assert data.num_classes == 8


def test_many_maps_are_looked_at_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("amd_jax.data.reading.labels.BLOCK", 2 * WHOLE[0].size)
    path = put(tmp_path, ".npy", np.where(WHOLE == 2, 255, WHOLE).astype(np.int16))
    assert_holds(maps.load(path, void=255))
    twice = WHOLE.repeat(2, axis=1).repeat(2, axis=2)
    assert_holds(maps.load(path, void=255, size=(8, 12)), twice)
    put(tmp_path, ".npy", changed(17, 3, 4, 9))
    one_line(path, r"got 9 in map 17 of .* at row 3, column 4", num_classes=3)
    assert maps.load(path).num_classes == 10


def test_pngs_are_converted_in_strips(tmp_path, monkeypatch):
    monkeypatch.setattr("amd_jax.data.reading.label_pngs.STRIP", 12)
    palette, pixels = COLOURS.tolist(), COLOURS[WHOLE]
    save(tmp_path, pixels)
    assert_holds(maps.load(str(tmp_path), palette=palette))
    pixels[3, 3, 2] = (1, 2, 3)
    save(tmp_path, pixels)
    message = r"palette of 3; got \(1, 2, 3\) in .*03\.png at row 3, column 2"
    one_line(tmp_path, message, palette=palette)


def test_maps_that_memory_cannot_hold_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("amd_jax.host.memory.free_bytes", lambda: 479)
    assert_holds(maps.load(put(tmp_path, ".npy", WHOLE)))  # it stays on the disk
    for kind, content in ((".npy", WHOLE.astype(int)), ("", WHOLE), (".npz", {"a": WHOLE})):
        way_out = "Save the maps as one .npy" if kind == ".npz" else "Make them smaller"
        message = f"of which 479 bytes are free; they take 480. {way_out}"
        one_line(put(tmp_path, kind, content), message)
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


def changed(*place_and_value, dtype=np.uint8):
    result, (*place, value) = WHOLE.astype(dtype), place_and_value
    result[tuple(place)] = value
    return result


OUTSIDE = changed(7, 2, 5, 9)
REFUSED = [
    (".npy", draw(10), "needs 11; found 10", {}),
    (".npy", draw(2), "needs 11; found 2", {}),
    ("", WHOLE[:4], r"land needs 11; found 4\. .*train, validation and test", {}),
    ("", OUTSIDE, r"\[0, 3\); got 9 in .*07\.png at row 2, column 5", dict(num_classes=3)),
    ("", OUTSIDE, "or use num_classes=10", dict(num_classes=3)),
    ("", COLOURS[WHOLE], r"00\.png holds RGB colours\. Save indices .* palette=", {}),
    (".npy", WHOLE.astype(int) - 1, r"\[0, 256\); got -1 in map 0 of .* row 1, column 0", {}),
    (".npy", changed(3, 1, 1, 300, dtype=int), "got 300 in map 3 of .* at row 1, column 1", {}),
    ("", changed(3, 1, 1, 300, dtype=np.uint16), r"300 in .*03\.png at row 1, column 1", {}),
    (".npy", changed(2, 1, 255), r"\[0, 3\); got 255 in map 2", dict(num_classes=3)),
    (".npy", WHOLE, "2 to 256 .* got num_classes=1. Use num_classes=0", dict(num_classes=1)),
    (".npy", WHOLE, "got num_classes=257", dict(num_classes=257)),
    (".npy", WHOLE, "got num_classes=-1", dict(num_classes=-1)),
    (".npy", WHOLE, "got 3 with num_classes=4", dict(num_classes=4, palette=COLOURS)),
    (".npy", WHOLE, "none twice; got 2", dict(palette=[(0, 0, 0), (0, 0, 0)])),
    (".npy", WHOLE, "each 0 to 255", dict(palette=[(0, 0, 0), (0, 0, 256)])),
    (".npy", WHOLE, "red, green, blue", dict(palette=[(0, 0), (0, 1)])),
    (".npz", dict(test=WHOLE, val=WHOLE), r"\(or val\) and test; .* holds test, val\. Save", {}),
    (".npz", dict(train=WHOLE, val=WHOLE / 2), "validation in .* holds float64", {}),
    (".npz", dict(train=WHOLE, test=draw(3, 5, 5)), r"test of land\.npz is uint8 \(3, 5, 5\)", {}),
]


@pytest.mark.parametrize(("kind", "content", "message", "numbers"), REFUSED)
def test_maps_that_cannot_be_are_refused(tmp_path, kind, content, message, numbers):
    one_line(put(tmp_path, kind, content), message, **numbers)


def test_places_without_maps_are_refused(tmp_path):
    one_line(tmp_path / "absent", "found nothing at .*absent. Check the path")
    one_line(tmp_path, "found none in .*, which holds nothing")
    (tmp_path / "a.jpg").write_bytes(b"")
    one_line(tmp_path, "found none in .*, which holds 1 .jpg")
    save(tmp_path / "train", WHOLE)
    assert maps.load(str(tmp_path)).splits == ("train",)
    (tmp_path / "val").mkdir()
    one_line(tmp_path, "found no PNG in .*validation or val.*90/5/5")


def test_an_archive_may_inflate_a_thousandfold(tmp_path):
    np.savez_compressed(tmp_path / "maps.npz", np.zeros((400, 128, 128), np.uint8))
    assert len(maps.load(tmp_path / "maps.npz").rows("train")) == 360


def test_few_maps_and_few_splits(tmp_path):
    data = maps.load(put(tmp_path, ".npy", draw(11)))
    assert [len(data.rows(split)) for split in SPLITS] == [9, 1, 1]
    assert maps.load(put(tmp_path, "", OUTSIDE)).num_classes == 10
    data = maps.load(put(tmp_path, ".npz", dict(train=WHOLE, test=WHOLE)))
    assert data.splits == ("train", "test")


def test_maps_of_different_sizes_are_refused_unless_they_are_resized(tmp_path):
    save(tmp_path, WHOLE)
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(tmp_path / "zz.png")
    one_line(tmp_path, r"00\.png has 4 x 6, .*zz\.png has 5 x 6.* Resize them: size=\(4, 6\)")
    assert maps.load(str(tmp_path), size=(4, 6)).event_shape == (4, 6)


def test_void_pixels_become_the_last_category(tmp_path):
    path = put(tmp_path, ".npy", changed(2, 1, 255))
    data = maps.load(path, void=255)
    assert data.num_classes == 4
    assert_holds(data, changed(2, 1, 3))
    assert data.facts.palette[3] == (0, 0, 0)
    assert maps.load(path, num_classes=7, void=255).num_classes == 8


def test_maps_are_resized_by_the_nearest_pixel(tmp_path):
    whole = draw(20, 8, 12)
    path = put(tmp_path, ".npy", whole)
    assert_holds(maps.load(path, size=(4, 6)), whole[:, 1::2, 1::2])
    assert_holds(maps.load(path, size=(16, 24)), whole.repeat(2, axis=1).repeat(2, axis=2))
