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


of_text8 = pytest.mark.parametrize("archive", ["text8"], indirect=True)  # where one is enough


@pytest.fixture(params=MODULES)
def archive(request, tmp_path, monkeypatch):
    """A zip with one member, made known as the official one: (module, path, text)."""
    module = MODULES[request.param]
    symbols = np.frombuffer((module.CORPUS.alphabet or "").encode() or bytes(range(256)), np.uint8)
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
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert_holds(module.load(data_dir=str(tmp_path)), text)
    assert list(temporary.iterdir()) == []
    folder = tmp_path / module.CORPUS.name / published.VERSION
    source = builders.tfds.builder_from_directory(folder).as_data_source("train")
    got = np.concatenate([example["text"] for example in source])
    assert got.tobytes() == text[: SPLITS["train"]]

    monkeypatch.setattr(builders, "build", None)  # from now on only the exported files are read
    data = module.load(data_dir=str(tmp_path))
    assert_holds(data, text)
    assert not data.stream("train").flags.owndata  # mapped
    assert data.batch(0, 0, 8).shape == (8, data.length)


def test_a_missing_archive_says_what_to_do_at_the_first_row(archive, tmp_path):
    module, _, _ = archive
    root, name = tmp_path / "tfds", module.CORPUS.name
    data = module.load(data_dir=str(root))
    assert data.splits == ("train", "validation", "test")
    with pytest.raises(published.CorpusError) as error:
        data.batch(0, 0, 2)
    assert f"http://mattmahoney.net/dc/{name}.zip cannot be fetched (no route)" in str(error.value)
    assert str(root / "downloads" / "manual" / f"{name}.zip") in str(error.value)
    assert "file of your own" in str(error.value)
    assert not root.exists()


def flip_last(content):
    return content[:-1] + bytes([content[-1] ^ 1])


@of_text8
@pytest.mark.parametrize("damage", ["size", "content"])
def test_another_archive_is_refused_and_left_alone(archive, tmp_path, damage):
    module, path, text = archive
    official = path.read_bytes()
    wrong = official[:-1] if damage == "size" else flip_last(official)
    path.write_bytes(wrong)
    placed = place(path, tmp_path)
    result, expected = f"{len(wrong):,} bytes", f"{len(official):,}"
    if damage == "content":
        result, expected = hashlib.sha256(wrong).hexdigest(), module.CORPUS.sha256
    with pytest.raises(published.CorpusError) as error:
        module.load(data_dir=str(tmp_path)).rows("test")
    assert all(part in str(error.value) for part in (str(placed), result, expected, "Delete it"))
    assert placed.read_bytes() == wrong
    assert not (tmp_path / module.CORPUS.name).exists()

    placed.write_bytes(official)
    assert_holds(module.load(data_dir=str(tmp_path)), text)


def interrupted(file):
    file.with_suffix(".partial").write_bytes(file.read_bytes()[:5000])
    file.unlink()


def piped(file):
    file.unlink()
    os.mkfifo(file)


DAMAGES = {  # what becomes of exported tokens
    "killed while it was written": interrupted,
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:5000]),
    "one byte": lambda file: file.write_bytes(flip_last(file.read_bytes())),
    "no checksum": lambda file: file.with_suffix(".sha256").unlink(),
    "a pipe": piped,
    "another kind": lambda file: file.write_bytes(b"PK"),
    "killed in TFDS": lambda file: (file.parents[1] / "incomplete.AB12CD_1.0.0").mkdir(),
}


@of_text8
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_or_was_interrupted_is_exported_again(archive, tmp_path, damage):
    module, path, text = archive
    place(path, tmp_path)
    module.load(data_dir=str(tmp_path)).rows("train")
    folder = tmp_path / module.CORPUS.name
    file = folder / f"tokens-{published.VERSION}" / "train.npy"
    whole = file.read_bytes()
    DAMAGES[damage](file)
    if damage == "killed in TFDS":
        shutil.rmtree(folder / published.VERSION)
        shutil.rmtree(file.parent)
    assert_holds(module.load(data_dir=str(tmp_path)), text)
    assert file.read_bytes() == whole
    names = {file.name for file in file.parent.iterdir()}
    assert names == {f"{split}.{kind}" for split in SPLITS for kind in ("npy", "sha256")}
    assert {file.name for file in folder.iterdir()} == {"1.0.0", "lock", file.parent.name}


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


def test_the_archive_is_fetched_and_kept_if_it_is_sound(archive, server, tmp_path, monkeypatch):
    module, path, text = archive
    know(monkeypatch, module, url=f"{server}/{path.name}")
    monkeypatch.setattr(published, "obstacle", lambda url: None)
    official = path.read_bytes()
    path.write_bytes(official[:-1])
    with pytest.raises(published.CorpusError, match="(?s)NonMatchingChecksumError.*own"):
        module.load(data_dir=str(tmp_path / "tfds")).rows("test")
    path.write_bytes(official)
    assert_holds(module.load(data_dir=str(tmp_path / "tfds")), text)
