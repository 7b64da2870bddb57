"""Files of data that are damaged, or were made to harm: one line each, and little memory.

What is made here is small on the disk: zeros that inflate, holes, headers that tell untruths.
"""

import dataclasses
import functools
import hashlib
import io
import math
import os
import pathlib
import pickle
import shutil
import struct
import subprocess
import sys
import zlib
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from amd_jax.data import cityscapes, text8
from amd_jax.data.download import published
from tests.cli.command import ROOT
from tests.faults.sending import command, experiments

OWN_MAPS, OWN_TEXT = "--config=experiments/own_maps.py", "--config=experiments/own_text.py"
CITYSCAPES = "--config=experiments/cityscapes_diffusion.py"
TEXT8 = "--config=experiments/text8_diffusion.py"
WHOLE = np.tile(np.arange(3, dtype=np.uint8), (20, 4, 2))  # twenty maps of 4 x 6
GIB = 1 << 30
MOST = 500  # MB that a refusal may take, all in all


# What files are made of


class Evil:
    """A file appears where this is unpickled."""

    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path("unpickled"),)


EVIL = np.array([Evil()], dtype=object)


def npy(array=WHOLE) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def header(text: str, version: int = 1, length: int | None = None) -> bytes:
    """The beginning of a `.npy` that has this header, whatever it says."""
    size = struct.pack("<H" if version == 1 else "<I", length or len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode()


def described(shape, descr="|u1") -> bytes:
    """The 128 bytes, or more, with which a `.npy` of such an array begins."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}"
    return header(text.ljust(117) + "\n")


class Member(NamedTuple):
    """What an archive says of a file, and the bytes that it has."""

    name: str
    packed: bytes
    size: int
    crc: int
    method: int = 0
    flags: int = 0
    version: int = 20


def stored(name: str, content: bytes, **other) -> Member:
    return Member(name, content, len(content), zlib.crc32(content), **other)


def zipped(*members: Member) -> bytes:
    """A zip archive, true or not."""
    files, contents, start = [], [], 0
    for name, packed, size, crc, method, flags, version in members:
        known = struct.pack(
            *("<5H3L2H", version, flags, method, 0, 33, crc, len(packed), size),
            *(len(name.encode()), 0),
        )
        place = struct.pack("<3H2L", 0, 0, 0, 0, start)
        contents.append(b"PK\1\2" + struct.pack("<H", 20) + known + place + name.encode())
        files.append(b"PK\3\4" + known + name.encode() + packed)
        start += len(files[-1])
    table, number = b"".join(contents), len(members) & 0xFFFF
    end = struct.pack("<4H2LH", 0, 0, number, number, len(table), start, 0)
    return b"".join(files) + table + b"PK\5\6" + end


def maps(**changes) -> Member:
    """A sound array of maps in an archive, but for what is changed."""
    return stored("train.npy", npy())._replace(**changes)


@functools.cache
def inflating(start: bytes, mebibytes: int) -> tuple[bytes, int]:
    """Some bytes and then zeros, deflated to a thousandth; and their checksum."""
    packer, block = zlib.compressobj(9, wbits=-15), bytes(1 << 20)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(start)
    for _ in range(mebibytes):
        crc = zlib.crc32(block, crc)
    return first + piece * mebibytes + packer.flush(), crc


def bomb(name: str, start: bytes, mebibytes: int = 2048, size: int | None = None) -> Member:
    """A member that inflates to 2 GiB, whatever it says its size is."""
    packed, crc = inflating(start, mebibytes)  # a second, the first time
    return Member(name, packed, size or len(start) + (mebibytes << 20), crc, method=8)


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def png(width=6, height=4, *more: bytes, mode=0, pixels=None) -> bytes:
    """A PNG: its sides, what stands before the pixels, its kind (0 grey, 2 RGB)."""
    if pixels is None:
        pixels = zlib.compress(bytes((width * (3 if mode == 2 else 1) + 1) * height))
    sides = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, mode, 0, 0, 0))
    rest = chunk(b"IDAT", pixels) + chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + sides + b"".join(more) + rest


def picture(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(WHOLE[0]).save(buffer, kind, **options)
    return buffer.getvalue()


def animation() -> bytes:
    other = [Image.fromarray(WHOLE[0] + n) for n in (1, 2)]
    return picture("png", save_all=True, append_images=other)


# How they get to their places


def put(content):
    """Writes bytes, or what a function makes of them."""
    return lambda path: path.write_bytes(content() if callable(content) else content)


def hole(size: int, start: bytes = b""):
    """Writes a file that begins so and has a size, but takes no room."""

    def write(path):
        path.write_bytes(start)
        os.truncate(path, size)

    return write


def sparse(shape, descr="|u1"):
    """Writes a `.npy` of zeros that takes no room."""
    start = described(shape, descr)
    return hole(len(start) + math.prod(shape) * int(descr[-1]), start)


def linked(target: str):
    return lambda path: path.symlink_to(target)


PLACES = {  # that are no file, wherever a file is asked for
    "a pipe": (os.mkfifo, "found a pipe or device at"),
    "an endless device": (linked("/dev/zero"), "found a pipe or device at"),
    "a folder": (pathlib.Path.mkdir, "found"),
    "a link to nothing": (linked("nowhere"), "found nothing at"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "found nothing at"),
}
NPY = {
    "Python objects": (put(lambda: npy(EVIL)), "holds Python objects, as of maps that differ"),
    "a pickle": (put(lambda: pickle.dumps(Evil())), "cannot be read (the magic string is not"),
    "cut short": (put(lambda: npy()[:-5]), "its header tells of 608 bytes, shape (20, 4, 6); it"),
    "two arrays": (put(lambda: npy() * 2), "its header tells of 608 bytes"),
    "2^60 maps": (put(described((1 << 60, 4, 6))), "cannot be read (its header tells of"),
    "10^5000 maps": (put(described("(1" + "0" * 5000 + ", 4, 6)")), "cannot be read ("),
    "none of 10^4000": (put(described("(0, 1" + "0" * 4000 + ", 6)")), "Maps must have shape"),
    "-1 maps": (put(described((-1, 4, 6))), "its header tells of"),
    "no maps": (put(lambda: npy(WHOLE[:0])), "Maps must have shape (N, H, W); "),
    "one number": (put(lambda: npy(np.uint8(3))), "has ()."),
    "a map alone": (put(lambda: npy(WHOLE[0])), "has (4, 6)."),
    "colours": (put(lambda: npy(np.stack([WHOLE] * 3, -1))), "is coloured or one-hot, (20, 4, 6"),
    "one channel": (put(lambda: npy(WHOLE[..., None])), "has (20, 4, 6, 1)."),
    "36 megapixels": (sparse((11, 6000, 6000)), "A map has at most 33,554,432 pixels; "),
    "complex": (put(lambda: npy(WHOLE * 1j)), "Categories must be integers; "),
    "floats": (put(lambda: npy(WHOLE.astype(np.float16))), "holds float16. Save them as uint8"),
    "structured": (put(lambda: npy(WHOLE.view([("a", "u1")]))), "holds [('a', 'u1')]"),
    "texts": (put(lambda: npy(WHOLE.astype(str))), "holds <U3"),
    "dates": (put(lambda: npy(WHOLE.astype("M8[s]"))), "holds datetime64[s]"),
    "items of 2 GB": (put(described((20, 4, 6), "|V2000000000")), "its header tells of"),
    "no such type": (put(described((20, 4, 6), "evil")), "descr is not a valid dtype"),
    "a header of 4 GiB": (put(header("{", 2, 0xFFFFFFFF)), "EOF: reading array header"),
    "a header of 20,000": (put(header("{}" + " " * 20_000)), "cannot be read ("),
    "a deep header": (put(header("-" * 9000 + "1")), "cannot be read ("),
    "a header (((": (put(header("(" * 9000)), "cannot be read ("),
    "a header of code": (put(header("open('unpickled', 'w')")), "cannot be read ("),
    "version 9": (put(header("{}", 9)), "it has version (9, 0) of the format"),
    "empty": (put(b""), "cannot be read ("),
}
NPZ = {
    "../../x": (put(zipped(maps(name="../../x.npy"))), "'../../x.npy' lies outside of it"),
    "/x": (put(zipped(maps(name="/x.npy"))), "'/x.npy' lies outside of it"),
    "C:x": (put(zipped(maps(name="C:x.npy"))), "'C:x.npy' lies outside of it"),
    "one name twice": (put(zipped(maps(), maps())), "it has 2 members 'train.npy'"),
    "one array twice": (put(zipped(maps(), maps(name="train"))), "two of its arrays have one"),
    "encrypted": (put(zipped(maps(flags=1))), "'train.npy' is encrypted"),
    "strongly encrypted": (put(zipped(maps(flags=64))), "strong encryption"),
    "bzip2": (put(zipped(maps(method=12))), "compressed by method 12 (bzip2), and not deflated"),
    "lzma": (put(zipped(maps(method=14))), "compressed by method 14 (lzma)"),
    "deflate64": (put(zipped(maps(method=9))), "compressed by method 9 (deflate64)"),
    "method 99": (put(zipped(maps(method=99))), "compressed by method 99 (unknown)"),
    "zip 9.9": (put(zipped(maps(version=99))), "zip file version 9.9"),
    "Python objects": (put(lambda: zipped(stored("x.npy", npy(EVIL)))), "holds Python objects"),
    "a pickle": (
        put(lambda: zipped(stored("x", pickle.dumps(Evil())))),
        "the magic string is not",
    ),
    "a text": (put(zipped(stored("readme.txt", b"maps"))), "cannot be read ("),
    "another checksum": (put(zipped(maps(crc=1))), "Bad CRC-32"),
    "not deflated": (put(zipped(maps(method=8))), "cannot be read ("),
    "fewer bytes told": (put(zipped(maps(size=600))), "Bad CRC-32"),
    "more bytes told": (put(zipped(maps(size=4 * GIB - 2))), "its header tells of 608 bytes"),
    "fewer bytes there": (
        put(lambda: zipped(stored("x.npy", npy()[:-5])._replace(size=608))),
        "it is cut short: 475 bytes of 480",
    ),
    "cut short": (put(zipped(maps())[:-9]), "File is not a zip file"),
    "nothing inside": (put(zipped()), "holds none"),
    "a name that clears": (
        put(zipped(maps(name="\x1b[2J.npy"), maps(name="b\n.npy"))),
        "holds \ufffd[2J, b\ufffd.",
    ),
}
PNG = {
    "a text": (put(b"a map"), "cannot be read (it does not begin as a PNG)"),
    "a JPEG": (put(lambda: picture("jpeg")), "it does not begin as a PNG"),
    "a TIFF": (put(lambda: picture("tiff")), "it does not begin as a PNG"),
    "60000 x 60000": (put(png(60000, 60000, pixels=b"")), "it has 60000 x 60000 pixels, and 1 to"),
    "no pixels": (put(png(0, 4, pixels=b"")), "it has 4 x 0 pixels"),
    "two headers": (put(png(6, 4, png(9, 9)[8:33])), "it has two headers"),
    "an animation": (put(animation), "it is an animation of 3 pictures"),
    "cut short": (put(png()[:-20]), "cannot be read ("),
    "empty": (put(b""), "it does not begin as a PNG"),
    "one byte": (put(png()[:32] + b"x" + png()[33:]), "its header is damaged"),
    "a text of 2 MiB": (
        put(png(6, 4, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 << 20))))),
        "Decompressed data too large",
    ),
    "a profile of 2 MiB": (
        put(png(6, 4, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2 << 20))))),
        "Decompressed data too large",
    ),
    "texts of 5 MiB": (
        put(lambda: png(6, 4, chunk(b"tEXt", b"a\0" + b"x" * (5 << 20)))),
        "it has over 4,194,304 bytes besides pixels, as in tEXt",
    ),
    "100,000 chunks": (put(lambda: png(6, 4, chunk(b"prIv") * 100_000)), "it has over 65,536"),
    "70 MB": (hole(70 << 20, png()), "it has 73,400,320 bytes, over 67,108,864"),
    "another size": (put(png(6, 5)), "Maps must have one size (height x width); "),
    "colours": (put(png(6, 4, mode=2)), "holds RGB colours. Save indices"),
}


# Sent


def refused(report, fault, expected, result):
    """One line that says so, a run that was not begun, and nothing unpickled."""
    report(fault, expected, result.ending)
    assert expected in result.error
    assert not pathlib.Path("unpickled").exists()
    return result.error


ARRAYS = [("maps.npy", fault) for fault in (*NPY, *PLACES)] + [("maps.npz", x) for x in NPZ]


@pytest.mark.parametrize(("name", "fault"), ARRAYS)
def test_an_array(name, fault, place, report):
    make, expected = (NPZ if name.endswith("z") else {**NPY, **PLACES})[fault]
    make(pathlib.Path(name))
    result = command(OWN_MAPS, f"--config.data.path={name}")
    refused(report, f"{name}: {fault}", expected, result)
    assert not pathlib.Path("runs").exists()


@pytest.mark.parametrize("fault", [*PNG, *PLACES])
def test_a_png_among_others(fault, place, report):
    make, expected = {**PNG, **PLACES}[fault]
    pathlib.Path("land").mkdir()
    for n in range(12):
        pathlib.Path(f"land/{n:02}.png").write_bytes(png())
    file = pathlib.Path("land/12.png")
    make(file)
    result = command(OWN_MAPS, "--config.data.path=land")
    assert "12.png" in refused(report, f"a folder of PNGs: {fault}", expected, result)
    assert not pathlib.Path("runs").exists()


@pytest.mark.parametrize("size", ["(100000, 100000)", "(0, 4)", "(4,)", "(-2, -2)"])
def test_a_size_that_cannot_be(size, place, report):
    put(npy())(pathlib.Path("maps.npy"))
    result = command(OWN_MAPS, "--config.data.path=maps.npy", f"--config.data.size={size}")
    refused(report, f"--config.data.size={size}", "A size is (height, width), at most", result)


TEXTS = {
    "empty": (put(b""), "must not be empty"),
    "utf-16": (put("the quick brown fox".encode("utf-16") * 2000), "must be utf-8; "),
    "zeros": (hole(1 << 16), "2 to 256 symbols; "),
    "an unfinished character": (put(b"ab" * 5000 + b"\xe2\x82"), "must be utf-8; "),
}


@pytest.mark.parametrize(
    ("fault", "raw"), [*((fault, False) for fault in (*TEXTS, *PLACES)), ("empty", True)]
)
def test_a_text(fault, raw, place, report):
    make, expected = {**TEXTS, **PLACES}[fault]
    make(pathlib.Path("book.txt"))
    arguments = ("--config.data.path=book.txt", f"--config.data.raw_bytes={raw}")
    refused(report, f"book.txt: {fault}, {raw=}", expected, command(OWN_TEXT, *arguments))
    assert not pathlib.Path("runs").exists()


INPUTS = {
    "17 MB": (hole(17 << 20), "--input is a text file of at most 16,777,216 bytes; "),
    "latin-1": (put(b"caf\xe9"), "must be utf-8; "),
    **PLACES,
    "a link to nothing": (linked("nowhere"), "No such file"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "oo many levels of symbolic"),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("fault", INPUTS)
@pytest.mark.slow
def test_a_text_to_correct(fault, trained, report):
    make, expected = INPUTS[fault]
    make(pathlib.Path("letter.txt"))
    result = command("--mode=correct", f"--workdir={trained}", "--input=letter.txt")
    refused(report, f"--input=letter.txt: {fault}", expected, result)


@pytest.fixture(scope="module")
def run_of_maps(finished_runs):
    """A run on maps of 4 x 6 pixels: its workdir."""
    return f"--workdir={finished_runs('map array').workdir}"


@pytest.mark.few(2)
@pytest.mark.parametrize("fault", [*PNG, *PLACES])
@pytest.mark.slow
def test_a_map_to_correct(fault, run_of_maps, place, report):
    make, expected = {**PNG, **PLACES}[fault]
    if fault == "colours":
        pytest.skip("the run knows the colours of its categories")
    if fault == "another size":
        expected = "The model is of maps of 4 x 6 pixels; "
    make(pathlib.Path("map.png"))
    result = command(run_of_maps, "--mode=correct", "--input=map.png")
    assert "map.png" in refused(report, f"--input=map.png: {fault}", expected, result)


@pytest.mark.slow
def test_a_map_to_correct_that_is_sound(run_of_maps, place):
    pathlib.Path("map.png").write_bytes(picture("png"))
    assert command(run_of_maps, "--mode=correct", "--input=map.png", "--output=.").ending is None


# Archives


def member(part: str, n: int) -> str:
    return f"gtFine/{part}/ulm/ulm_{n:06}_000019_gtFine_labelIds.png"


def streets(counts, sound: bytes, **changes) -> bytes:
    """An archive of the true layout, whose first map is what is changed."""
    first, *others = (
        stored(member(part, n), sound) for part in counts for n in range(counts[part])
    )
    return zipped(first._replace(**changes), *others)


STREETS = {  # what becomes of the first map of `train`
    "another checksum": (dict(crc=1), "Bad CRC-32"),
    "fewer bytes told": (dict(size=20), "cannot be read ("),
    "4 GiB told": (dict(size=4 * GIB - 2), "has 4,294,967,294 bytes, over 4,194,304"),
    "missing": (dict(name="readme.txt"), "found 1 maps of train and 2 maps of val, expected 2"),
}
SCENES = {
    "60000 x 60000": (png(60000, 60000, pixels=b""), "it has 60000 x 60000 pixels"),
    "a text": (b"a map", "it does not begin as a PNG"),
    "another size": (png(6, 4), "mode L, 6 x 4 pixels"),
    "colours": (png(8, 4, mode=2), "mode RGB, 8 x 4 pixels"),
    "no label": (png(8, 4, pixels=zlib.compress(b"\0\x64\0\0\0\0\0\0\0" * 4)), "has 100, which"),
}
SCENE = png(8, 4)


@pytest.fixture
def manual(place, monkeypatch):
    """Where archives belong, with a Cityscapes of two maps of 4 x 8 each; no web."""
    monkeypatch.setenv("TFDS_DATA_DIR", "tfds")
    known = cityscapes.Archive({"train": 2, "val": 2}, (4, 8), (4, 8), validation=1)
    monkeypatch.setattr(cityscapes, "ARCHIVE", known)
    monkeypatch.setattr(published, "obstacle", lambda url: "no route")
    folder = pathlib.Path("tfds/downloads/manual")
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("fault", [*STREETS, *SCENES])
def test_an_archive_of_cityscapes(fault, manual, report):
    counts = cityscapes.ARCHIVE.counts
    if fault in STREETS:
        changes, expected = STREETS[fault]
        content = streets(counts, SCENE, **changes)
    else:
        scene, expected = SCENES[fault]
        content = zipped(
            stored(member("train", 0), scene),
            *(stored(member(*rest), SCENE) for rest in (("train", 1), ("val", 0), ("val", 1))),
        )
    (manual / "gtFine_trainvaltest.zip").write_bytes(content)
    error = refused(report, f"Cityscapes: {fault}", expected, command(CITYSCAPES))
    assert "is not the official gtFine_trainvaltest.zip" in error
    assert "Delete it and download it" in error


@pytest.mark.parametrize("damage", ["a pipe", "holes", "another shape", "objects"])
def test_damaged_maps_of_cityscapes_are_not_read(damage, manual, report):
    folder = pathlib.Path("tfds/cityscapes/maps-1.0.0")
    (manual / "gtFine_trainvaltest.zip").write_bytes(streets(cityscapes.ARCHIVE.counts, SCENE))
    cityscapes.load().rows("train")
    (manual / "gtFine_trainvaltest.zip").unlink()
    file = folder / "4x8.npy"
    file.unlink()
    {
        "a pipe": os.mkfifo,
        "holes": hole(1 << 40),
        "another shape": put(npy()),
        "objects": put(lambda: npy(EVIL)),
    }[damage](file)
    if damage in ("another shape", "objects"):  # by someone who knows of the checksum
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        file.with_suffix(".sha256").write_text(sha256)
    refused(report, f"4x8.npy: {damage}", "4x8.npy is damaged", command(CITYSCAPES))


@pytest.mark.parametrize("fault", ["a bomb", *PLACES])
def test_an_archive_of_text8_is_known_before_it_is_inflated(fault, manual, report, monkeypatch):
    monkeypatch.setattr(published.zipfile, "ZipFile", None)
    archive, expected = manual / "text8.zip", "is not the official text8.zip: found"
    if fault == "a bomb":
        content = zipped(bomb("text8", b"", 16))
        archive.write_bytes(bytes(31_344_016 - len(content)) + content)
        expected += " sha256"
    else:
        PLACES[fault][0](archive)
        expected = "cannot be fetched (no route)" if "link" in fault else expected
    refused(report, f"text8.zip: {fault}", expected, command(TEXT8))


def flipped(path):
    """Changes the byte in the middle, where a header lies."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


BUILT = {  # what becomes of files that TFDS built
    "one byte": ("text8-test.*", flipped),
    "missing": ("text8-test.*", pathlib.Path.unlink),
    "another kind": ("dataset_info.json", put(b'{"a": 1}')),
    "emptied": ("dataset_info.json", put(b"")),
}


@pytest.mark.parametrize("fault", BUILT)
def test_what_tfds_built_is_damaged(fault, manual, report, monkeypatch):
    content = zipped(stored("text8", b"abcdefghij" * 1200))
    known = dict(size=len(content), sha256=hashlib.sha256(content).hexdigest())
    known |= {"splits": {"train": 10_000, "validation": 1_000, "test": 1_000}}
    monkeypatch.setattr(text8, "CORPUS", dataclasses.replace(text8.CORPUS, **known))
    (manual / "text8.zip").write_bytes(content)
    text8.load().rows("train")
    shutil.rmtree("tfds/text8/tokens-1.0.0")
    pattern, damage = BUILT[fault]
    (file,) = pathlib.Path("tfds/text8/1.0.0").glob(pattern)
    damage(file)
    expected = "text8/1.0.0 must be as TFDS built it; it cannot be read ("
    small = ("--config.num_steps=1", "--config.network.dim=8")  # in case it begins
    error = refused(report, f"{pattern} of TFDS: {fault}", expected, command(TEXT8, *small))
    assert "Delete it: the next run builds it again" in error


# Memory


PEAK = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "experiments.run", *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(done.returncode)
"""  # a small process starts it: the peak of a process counts that of the one it was made from


def measured(*arguments: str) -> tuple[int, str]:
    """The line that a command ends with, as a process of its own; its peak of memory in MB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TFDS_DATA_DIR": "tfds"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return int(done.stdout.split()[-1]), done.stderr.strip()


def crowd(path):
    path.write_bytes(zipped(*(Member(str(n), b"", 0, 0) for n in range(200_000))))


def many(path):
    """A folder of links to one PNG of 32 megapixels."""
    path.mkdir()
    path.with_name("one.png").write_bytes(png(8192, 4096, pixels=b""))
    for n in range(20_000):
        (path / f"{n:05}.png").symlink_to("../one.png")


def strange(path):
    """A folder of PNGs of 32 megapixels, with colours in the last row that no palette has."""
    path.mkdir()
    pixels = np.zeros((4096, 8192, 3), np.uint8)
    pixels[-1] = np.random.default_rng(0).integers(256, size=(8192, 3))
    Image.fromarray(pixels).save(path / "00.png", compress_level=1)
    for n in range(1, 11):
        (path / f"{n:02}.png").symlink_to("00.png")


def hidden(path):
    """A folder with a PNG that has a text of 2 GiB, which takes no room on the disk."""
    path.mkdir()
    for n in range(11):
        (path / f"{n:02}.png").write_bytes(png())
    start = png()[:33] + struct.pack(">I4s", 2 * GIB - 1, b"tEXt")
    hole(2 * GIB + 100, start)(path / "05.png")


def official(first: Member):
    """Writes an archive with as many maps as the official one has, and a first one like this."""

    def write(path):
        path.parent.mkdir(parents=True)
        counts = {"train": 2975, "val": 500}
        path.write_bytes(
            streets(counts, SCENE, **first._replace(name=member("train", 0))._asdict())
        )

    return write


HUGE = (2048, 1024, 1024)  # 2 GiB
ZIP = "tfds/downloads/manual/gtFine_trainvaltest.zip"
BOMBS = {  # where, what is made there, what is said
    "2 GiB of maps": (
        *("maps.npz", lambda path: put(zipped(bomb("train.npy", described(HUGE))))(path)),
        "A .npz is inflated in memory, up to 1,073,741,824 bytes; the arrays of",
    ),
    "2 GiB after what is said to be all": (
        *("maps.npz", lambda path: put(zipped(bomb("train.npy", npy(), size=608)))(path)),
        "Bad CRC-32",
    ),
    "2 GiB of maps that are said to be 608 bytes": (
        *("maps.npz", lambda path: put(zipped(bomb("x.npy", described(HUGE), size=608)))(path)),
        "Bad CRC-32",
    ),
    "1 GiB of a header": (
        *("maps.npz", lambda path: put(zipped(bomb("x.npy", header("{", 2, GIB))))(path)),
        "EOF: reading array header",
    ),
    "1 GB that is not there": (
        "maps.npz",
        put(zipped(stored("x.npy", described((10**4, 10**3, 100)))._replace(size=10**9 + 128))),
        "it is cut short: 0 bytes of 1,000,000,000",
    ),
    "200,000 members": ("maps.npz", crowd, "its list of members takes"),
    "1 TiB of int64": ("maps.npy", sparse((1 << 27, 32, 32), "<i8"), "must fit into memory"),
    "10 gigapixels": ("maps.npy", sparse((11, 10**5, 10**5)), "A map has at most 33,554,432"),
    "20,000 times 32 megapixels": ("land", many, "must fit into memory"),
    "32 megapixels of other colours": ("land", strange, "Colours must be in the palette of 2"),
    "a PNG with a text of 2 GiB": ("land", hidden, "it has 2,147,483,748 bytes, over"),
    "1 TiB of text": ("book.txt", hole(1 << 40), "must fit into memory"),
    "a map of 2 GiB": (
        *(ZIP, lambda path: official(bomb("", b""))(path)),
        "has 2,147,483,648 bytes, over 4,194,304",
    ),
    "a map of 2 GiB that is said to have 1 MB": (
        *(ZIP, lambda path: official(bomb("", SCENE, size=1 << 20))(path)),
        "Bad CRC-32",
    ),
}


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory):
    """The peak of a command that finds nothing to read, in MB."""
    folder = experiments(tmp_path_factory.mktemp("rest"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return measured(OWN_MAPS, "--config.data.path=nowhere")[0]


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("fault", BOMBS)
def test_a_bomb_takes_little_memory(fault, place, report, at_rest):
    where, make, expected = BOMBS[fault]
    make(pathlib.Path(where))
    arguments = (OWN_TEXT if where == "book.txt" else OWN_MAPS, f"--config.data.path={where}")
    if fault == "32 megapixels of other colours":
        arguments += ("--config.data.palette=((0, 0, 0), (0, 0, 1))",)
    peak, line = measured(*([CITYSCAPES] if where == ZIP else arguments))
    report(
        f"{pathlib.Path(where).name:.12}: {fault}",
        expected,
        f"{peak} MB ({at_rest} with nothing to read): {line}",
    )
    assert expected in line
    assert peak <= MOST
