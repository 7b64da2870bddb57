"""Cityscapes on small archives of the true layout, made here."""

import io
import multiprocessing
import zipfile

import numpy as np
import pytest
from PIL import Image

from amd_jax.data import cityscapes

COUNTS = {"train": 6, "val": 2}
IDS = np.array([*range(34), 255], np.uint8)
# Cordts et al., 2016: the groups of labels, in the order of their ids
GROUPS = [0] * 7 + [1] * 4 + [2] * 6 + [3] * 4 + [4] * 2 + [5] + [6] * 2 + [7] * 8 + [7]


@pytest.fixture
def labels():
    """Label ids of the maps, in the order of their names: {member: (64, 128)}."""
    rng, result = np.random.default_rng(0), {}
    cities = {"train": ("aachen", "ulm"), "val": ("frankfurt",), "test": ("bonn",)}
    for part, names in cities.items():
        for i in range({**COUNTS, "test": 1}[part]):
            city = names[i * len(names) // COUNTS.get(part, 1)]
            member = f"gtFine/{part}/{city}/{city}_{i:06}_000019_gtFine_labelIds.png"
            result[member] = rng.choice(IDS, size=(64, 128))
    return result


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def write(root, labels, change=None):
    """Put an archive of the true layout where it belongs; `change(member, bytes) -> bytes`."""
    archive = root / "downloads" / "manual" / "gtFine_trainvaltest.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("README", "how this came to be")
        for member, ids in reversed(labels.items()):  # the order in the archive does not matter
            content = png(ids)
            opened.writestr(member, change(member, content) if change else content)
            for other in ("color.png", "instanceIds.png", "polygons.json"):
                opened.writestr(member.replace("labelIds.png", other), "not read")
    return archive


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Maps of 64 x 128, six and two of them, become 8 x 16; the last two of train validate."""
    known = cityscapes.Archive(COUNTS, shape=(64, 128), event_shape=(8, 16), validation=2)
    monkeypatch.setattr(cityscapes, "ARCHIVE", known)


@pytest.fixture
def refuse(tmp_path):
    """Check the error of reading a row of what lies in `tmp_path`."""

    def check(*parts):
        with pytest.raises(cityscapes.ArchiveError) as error:
            cityscapes.load(str(tmp_path)).rows("test")
        assert all(part in str(error.value) for part in parts), str(error.value)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "cityscapes" / "maps-1.0.0").exists()

    return check


def assert_holds(data, labels):
    table = dict(zip(IDS.tolist(), GROUPS, strict=True))
    want = [np.vectorize(table.get)(ids[4::8, 4::8]) for ids in labels.values()]
    for split, part in (("train", want[:4]), ("validation", want[4:6]), ("test", want[6:8])):
        np.testing.assert_array_equal(data.rows(split), part)


def test_the_official_numbers(monkeypatch):
    monkeypatch.undo()
    assert cityscapes.ARCHIVE.counts == {"train": 2975, "val": 500}
    assert cityscapes.ARCHIVE.validation == 475
    assert cityscapes.ARCHIVE.shape == (1024, 2048)
    data = cityscapes.load()
    assert (data.event_shape, data.num_classes, data.name) == ((32, 64), 8, "cityscapes")
    assert data.names[:2] + data.names[-2:] == ("void", "flat", "human", "vehicle")
    assert data.palette[[1, -1]].tolist() == [[128, 64, 128], [0, 0, 142]]
    assert data.augment
    assert not cityscapes.load(augment=False).augment


def test_every_id_has_its_category():
    assert cityscapes.TABLE[IDS].tolist() == GROUPS
    assert (cityscapes.TABLE[34:255] == cityscapes.NO_ID).all()


def test_an_archive_is_unpacked_once(labels, tmp_path, monkeypatch):
    archive = write(tmp_path, labels)
    assert_holds(cityscapes.load(str(tmp_path)), labels)
    files = {file.name for file in (tmp_path / "cityscapes" / "maps-1.0.0").iterdir()}
    assert files == {"8x16.npy", "8x16.sha256"}

    archive.unlink()  # from now on only the exported maps are read
    data = cityscapes.load(str(tmp_path))
    assert_holds(data, labels)
    assert data.batch(0, 0, 3).shape == (3, 8, 16)


def test_the_default_folder_is_that_of_tfds(labels, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    write(tmp_path, labels)
    assert_holds(cityscapes.load(), labels)


def test_nothing_happens_before_the_first_row(labels, tmp_path):
    write(tmp_path, labels)
    before = sorted(tmp_path.rglob("*"))
    cityscapes.load(str(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_archive_says_what_to_do(tmp_path, refuse):
    refuse(
        "not on this machine",
        "https://www.cityscapes-dataset.com",
        f"at {tmp_path / 'downloads' / 'manual' / 'gtFine_trainvaltest.zip'}",
        "experiments/own_maps.py",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["flipped", "cut short", "no checksum"])
def test_damaged_maps_are_noticed_and_made_anew(labels, tmp_path, damage):
    archive = write(tmp_path, labels)
    cityscapes.load(str(tmp_path)).rows("train")
    file = tmp_path / "cityscapes" / "maps-1.0.0" / "8x16.npy"
    content = file.read_bytes()
    if damage == "flipped":  # a category becomes another one: no other check would see it
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "cut short":
        file.write_bytes(content[:-1])
    else:
        file.with_suffix(".sha256").unlink()

    archive.rename(tmp_path / "elsewhere.zip")
    with pytest.raises(
        cityscapes.ArchiveError, match=r"8x16\.npy is damaged.* put it, zipped, at"
    ):
        cityscapes.load(str(tmp_path)).rows("train")

    (tmp_path / "elsewhere.zip").rename(archive)
    assert_holds(cityscapes.load(str(tmp_path)), labels)
    assert file.read_bytes() == content


def test_an_interrupted_export_is_done_again(labels, tmp_path, monkeypatch):
    write(tmp_path, labels)
    folder = tmp_path / "cityscapes" / "maps-1.0.0"
    folder.mkdir(parents=True)
    (folder / "8x16.partial").write_bytes(b"half")
    assert_holds(cityscapes.load(str(tmp_path)), labels)
    assert not (folder / "8x16.partial").exists()


def read_in_a_process(known, root, results):
    cityscapes.ARCHIVE = known
    results.put(cityscapes.load(root).rows("test").sum())


@pytest.mark.slow
def test_two_processes_do_not_collide(labels, tmp_path):
    write(tmp_path, labels)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = (cityscapes.ARCHIVE, str(tmp_path), results)
    processes = [context.Process(target=read_in_a_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    sums = [results.get(timeout=60) for _ in processes]
    assert sums == [cityscapes.load(str(tmp_path)).rows("test").sum()] * 2
    for process in processes:
        process.join()


def test_what_is_no_zip_is_refused(labels, tmp_path, refuse):
    archive = write(tmp_path, labels)
    archive.write_bytes(archive.read_bytes()[:-100])
    refuse("is not the official", "not a zip file")
