"""text8 and enwik8 on small archives of the true format; nothing here leaves the machine."""

import dataclasses
import functools
import hashlib
import http.server
import os
import shutil
import sys
import tempfile
import threading
import zipfile

import numpy as np
import pytest

from amd_jax.data import enwik8, text8
from amd_jax.data.download import builders, published

SPLITS = {"train": 25_000, "validation": 1_000, "test": 1_234}
MODULES = {"text8": text8, "enwik8": enwik8}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Answer the probe at once: the web is out of reach."""
    monkeypatch.setattr(published, "obstacle", lambda url: "no route")


@pytest.fixture(params=MODULES)
def archive(request, tmp_path, monkeypatch):
    """A zip with one member, made known as the official one: (module, path, text)."""
    module = MODULES[request.param]
    symbols = np.frombuffer((module.CORPUS.alphabet or "").encode(), np.uint8)
    if not len(symbols):
        symbols = np.arange(256, dtype=np.uint8)
    text = np.random.default_rng(0).choice(symbols, sum(SPLITS.values())).tobytes()

    path = tmp_path / "web" / f"{request.param}.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(request.param, text)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    know(monkeypatch, module, splits=SPLITS, size=len(content), sha256=sha256)
    return module, path, text


def know(monkeypatch, module, **facts):
    """Change what a module knows of its archive."""
    monkeypatch.setattr(module, "CORPUS", dataclasses.replace(module.CORPUS, **facts))


def place(path, root):
    """Put the archive where the error message says."""
    manual = root / "downloads" / "manual"
    manual.mkdir(parents=True)
    return path.rename(manual / path.name)


def assert_holds(data, text):
    start = 0
    for split, size in SPLITS.items():
        part = np.frombuffer(text[start : start + size], np.uint8)
        if data.alphabet is not None:
            part = data.facts.encode(part.tobytes().decode())
        np.testing.assert_array_equal(data.stream(split), part)
        start += size


def test_without_tfds_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # as if not installed
    with pytest.raises(published.CorpusError, match=r'pip install "amd_jax\[corpora\]"'):
        text8.load(data_dir=str(tmp_path)).rows("train")


def test_the_official_numbers():
    assert (text8.load().length, text8.NUM_CLASSES) == (256, 27)
    assert (enwik8.load().length, enwik8.NUM_CLASSES) == (320, 256)
    assert len(text8.load().alphabet) == text8.NUM_CLASSES
    assert enwik8.load().alphabet is None
    for module in MODULES.values():
        assert list(module.CORPUS.splits.values()) == [90_000_000, 5_000_000, 5_000_000]
    assert text8.CORPUS.alphabet == " abcdefghijklmnopqrstuvwxyz"


def test_an_archive_put_in_place_is_built_once(archive, tmp_path, monkeypatch):
    module, path, text = archive
    place(path, tmp_path)
    assert_holds(module.load(data_dir=str(tmp_path)), text)

    monkeypatch.setattr(builders, "build", None)  # from now on only the exported files are read
    data = module.load(data_dir=str(tmp_path))
    assert_holds(data, text)
    assert not data.stream("train").flags.owndata  # mapped
    assert data.batch(0, 0, 8).shape == (8, data.length)


def test_tfds_reads_what_was_built(archive, tmp_path):
    module, path, text = archive
    place(path, tmp_path)
    module.load(data_dir=str(tmp_path)).rows("test")
    folder = tmp_path / module.CORPUS.name / published.VERSION
    source = builders.tfds.builder_from_directory(folder).as_data_source("train")
    got = np.concatenate([example["text"] for example in source])
    assert got.tobytes() == text[: SPLITS["train"]]


def test_no_temporary_folder_is_left(archive, tmp_path, monkeypatch):
    module, path, _ = archive
    place(path, tmp_path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    module.load(data_dir=str(tmp_path)).rows("test")
    assert list(temporary.iterdir()) == []


def test_nothing_happens_before_the_first_row(archive, tmp_path):
    module, _, _ = archive
    data = module.load(data_dir=str(tmp_path / "tfds"))
    assert data.splits == ("train", "validation", "test")
    assert not (tmp_path / "tfds").exists()


def test_a_missing_archive_says_what_to_do(archive, tmp_path):
    module, _, _ = archive
    root = tmp_path / "tfds"
    with pytest.raises(published.CorpusError) as error:
        module.load(data_dir=str(root)).batch(0, 0, 2)
    name = module.CORPUS.name
    assert f"http://mattmahoney.net/dc/{name}.zip cannot be fetched (no route)" in str(error.value)
    assert str(root / "downloads" / "manual" / f"{name}.zip") in str(error.value)
    assert "file of your own" in str(error.value)
    assert not root.exists()


@pytest.mark.parametrize("damage", ["size", "content"])
def test_another_archive_is_refused_and_left_alone(archive, tmp_path, damage):
    module, path, text = archive
    official = path.read_bytes()
    wrong = official[:-1] if damage == "size" else bytes([official[0] ^ 1]) + official[1:]
    path.write_bytes(wrong)
    placed = place(path, tmp_path)
    result, expected = (f"{len(wrong):,} bytes", f"{len(official):,}")
    if damage == "content":
        result, expected = hashlib.sha256(wrong).hexdigest(), module.CORPUS.sha256
    with pytest.raises(published.CorpusError) as error:
        module.load(data_dir=str(tmp_path)).rows("test")
    assert all(part in str(error.value) for part in (str(placed), result, expected, "Delete it"))
    assert placed.read_bytes() == wrong
    assert not (tmp_path / module.CORPUS.name).exists()

    placed.write_bytes(official)
    assert_holds(module.load(data_dir=str(tmp_path)), text)


@pytest.mark.parametrize("remains", ["tfds", "partial", "cut short"])
def test_an_interrupted_build_is_done_again(archive, tmp_path, remains):
    """What a kill leaves behind: in the middle of TFDS, of an export, or of a copy by hand."""
    module, path, text = archive
    place(path, tmp_path)
    folder = tmp_path / module.CORPUS.name
    tokens = folder / f"tokens-{published.VERSION}"
    if remains == "tfds":
        (folder / "incomplete.AB12CD_1.0.0").mkdir(parents=True)
    else:
        module.load(data_dir=str(tmp_path)).rows("train")
        whole = (tokens / "train.npy").read_bytes()
        left = "train.partial" if remains == "partial" else "train.npy"
        (tokens / "train.npy").unlink()
        (tokens / left).write_bytes(whole[:5000])
    assert_holds(module.load(data_dir=str(tmp_path)), text)
    names = {file.name for file in tokens.iterdir()}
    assert names == {f"{split}.{kind}" for split in SPLITS for kind in ("npy", "sha256")}
    assert {file.name for file in folder.iterdir()} == {"1.0.0", "lock", tokens.name}


@pytest.mark.parametrize("damage", ["one byte", "no checksum", "a pipe", "another kind"])
def test_damaged_tokens_are_exported_again(archive, tmp_path, damage):
    module, path, text = archive
    place(path, tmp_path)
    module.load(data_dir=str(tmp_path)).rows("train")
    file = tmp_path / module.CORPUS.name / f"tokens-{published.VERSION}" / "train.npy"
    whole = file.read_bytes()
    if damage == "no checksum":
        file.with_suffix(".sha256").unlink()
    elif damage == "a pipe":
        file.unlink()
        os.mkfifo(file)
    else:
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if damage == "one byte" else b"PK")
    assert_holds(module.load(data_dir=str(tmp_path)), text)
    assert file.read_bytes() == whole


def test_a_damaged_build_is_told_and_done_again_once_deleted(archive, tmp_path):
    module, path, text = archive
    place(path, tmp_path)
    module.load(data_dir=str(tmp_path)).rows("train")
    folder = tmp_path / module.CORPUS.name
    shutil.rmtree(folder / f"tokens-{published.VERSION}")
    (record,) = (folder / published.VERSION).glob("*-train.array_record*")
    record.write_bytes(record.read_bytes()[:70_000])
    with pytest.raises(
        published.CorpusError, match="must be as TFDS built it; .*Delete it"
    ) as error:
        module.load(data_dir=str(tmp_path)).rows("train")
    assert "\n" not in str(error.value)
    shutil.rmtree(folder / published.VERSION)
    assert_holds(module.load(data_dir=str(tmp_path)), text)


@pytest.fixture
def server(tmp_path):
    """A web server of this machine, which sends the archives: its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=tmp_path / "web")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


def test_the_archive_is_fetched(archive, server, tmp_path, monkeypatch):
    module, path, text = archive
    know(monkeypatch, module, url=f"{server}/{path.name}")
    monkeypatch.setattr(published, "obstacle", lambda url: None)
    assert_holds(module.load(data_dir=str(tmp_path / "tfds")), text)


def test_a_damaged_download_is_not_kept(archive, server, tmp_path, monkeypatch):
    module, path, text = archive
    know(monkeypatch, module, url=f"{server}/{path.name}")
    monkeypatch.setattr(published, "obstacle", lambda url: None)
    official = path.read_bytes()
    path.write_bytes(official[:-1])
    with pytest.raises(published.CorpusError, match="(?s)NonMatchingChecksumError.*own"):
        module.load(data_dir=str(tmp_path / "tfds")).rows("test")
    path.write_bytes(official)
    assert_holds(module.load(data_dir=str(tmp_path / "tfds")), text)
