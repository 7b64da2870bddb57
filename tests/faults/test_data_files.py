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


def make(path, content):
    """Writes bytes, or does what a function does with the path."""
    content(path) if callable(content) else path.write_bytes(content)


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


def inflates(*given, **named):
    """Writes an archive of one bomb."""
    return lambda path: path.write_bytes(zipped(bomb(*given, **named)))


def linked(target: str):
    return lambda path: path.symlink_to(target)


def loop(path):
    path.symlink_to(path.name)


PLACES = {  # that are no file, wherever a file is asked for
    "a pipe": (os.mkfifo, "found a pipe or device at"),
    "an endless device": (linked("/dev/zero"), "found a pipe or device at"),
    "a folder": (pathlib.Path.mkdir, "found"),
    "a link to nothing": (linked("nowhere"), "found nothing at"),
    "a link to itself": (loop, "found nothing at"),
}
NPY = {
    "Python objects": (npy(EVIL), "holds Python objects, as of maps that differ"),
    "a pickle": (pickle.dumps(Evil()), "cannot be read (the magic string is not"),
    "cut short": (npy()[:-5], "its header tells of 608 bytes, shape (20, 4, 6); it"),
    "two arrays": (npy() * 2, "its header tells of 608 bytes"),
    "2^60 maps": (described((1 << 60, 4, 6)), "cannot be read (its header tells of"),
    "10^5000 maps": (described("(1" + "0" * 5000 + ", 4, 6)"), "cannot be read ("),
    "none of 10^4000": (described("(0, 1" + "0" * 4000 + ", 6)"), "Maps must have shape"),
    "-1 maps": (described((-1, 4, 6)), "its header tells of"),
    "no maps": (npy(WHOLE[:0]), "Maps must have shape (N, H, W); "),
    "one number": (npy(np.uint8(3)), "has ()."),
    "a map alone": (npy(WHOLE[0]), "has (4, 6)."),
    "colours": (npy(np.stack([WHOLE] * 3, -1)), "is coloured or one-hot, (20, 4, 6"),
    "one channel": (npy(WHOLE[..., None]), "has (20, 4, 6, 1)."),
    "36 megapixels": (sparse((11, 6000, 6000)), "A map has at most 33,554,432 pixels; "),
    "complex": (npy(WHOLE * 1j), "Categories must be integers; "),
    "floats": (npy(WHOLE.astype(np.float16)), "holds float16. Save them as uint8"),
    "structured": (npy(WHOLE.view([("a", "u1")])), "holds [('a', 'u1')]"),
    "texts": (npy(WHOLE.astype(str)), "holds <U3"),
    "dates": (npy(WHOLE.astype("M8[s]")), "holds datetime64[s]"),
    "items of 2 GB": (described((20, 4, 6), "|V2000000000"), "its header tells of"),
    "no such type": (described((20, 4, 6), "evil"), "descr is not a valid dtype"),
    "a header of 4 GiB": (header("{", 2, 0xFFFFFFFF), "EOF: reading array header"),
    "a header of 20,000": (header("{}" + " " * 20_000), "cannot be read ("),
    "a deep header": (header("-" * 9000 + "1"), "cannot be read ("),
    "a header (((": (header("(" * 9000), "cannot be read ("),
    "a header of code": (header("open('unpickled', 'w')"), "cannot be read ("),
    "version 9": (header("{}", 9), "it has version (9, 0) of the format"),
    "empty": (b"", "cannot be read ("),
}
NPZ = {
    "../../x": (zipped(maps(name="../../x.npy")), "'../../x.npy' lies outside of it"),
    "/x": (zipped(maps(name="/x.npy")), "'/x.npy' lies outside of it"),
    "C:x": (zipped(maps(name="C:x.npy")), "'C:x.npy' lies outside of it"),
    "one name twice": (zipped(maps(), maps()), "it has 2 members 'train.npy'"),
    "one array twice": (zipped(maps(), maps(name="train")), "two of its arrays have one"),
    "encrypted": (zipped(maps(flags=1)), "'train.npy' is encrypted"),
    "strongly encrypted": (zipped(maps(flags=64)), "strong encryption"),
    "bzip2": (zipped(maps(method=12)), "compressed by method 12 (bzip2), and not deflated"),
    "lzma": (zipped(maps(method=14)), "compressed by method 14 (lzma)"),
    "deflate64": (zipped(maps(method=9)), "compressed by method 9 (deflate64)"),
    "method 99": (zipped(maps(method=99)), "compressed by method 99 (unknown)"),
    "zip 9.9": (zipped(maps(version=99)), "zip file version 9.9"),
    "Python objects": (zipped(stored("x.npy", npy(EVIL))), "holds Python objects"),
    "a pickle": (
        zipped(stored("x", pickle.dumps(Evil()))),
        "the magic string is not",
    ),
    "a text": (zipped(stored("readme.txt", b"maps")), "cannot be read ("),
    "another checksum": (zipped(maps(crc=1)), "Bad CRC-32"),
    "not deflated": (zipped(maps(method=8)), "cannot be read ("),
    "fewer bytes told": (zipped(maps(size=600)), "Bad CRC-32"),
    "more bytes told": (zipped(maps(size=4 * GIB - 2)), "its header tells of 608 bytes"),
    "fewer bytes there": (
        zipped(stored("x.npy", npy()[:-5])._replace(size=608)),
        "it is cut short: 475 bytes of 480",
    ),
    "cut short": (zipped(maps())[:-9], "File is not a zip file"),
    "nothing inside": (zipped(), "holds none"),
    "a name that clears": (
        zipped(maps(name="\x1b[2J.npy"), maps(name="b\n.npy")),
        "holds \ufffd[2J, b\ufffd.",
    ),
}
PNG = {
    "a text": (b"a map", "cannot be read (it does not begin as a PNG)"),
    "a JPEG": (picture("jpeg"), "it does not begin as a PNG"),
    "a TIFF": (picture("tiff"), "it does not begin as a PNG"),
    "60000 x 60000": (png(60000, 60000, pixels=b""), "it has 60000 x 60000 pixels, and 1 to"),
    "no pixels": (png(0, 4, pixels=b""), "it has 4 x 0 pixels"),
    "two headers": (png(6, 4, png(9, 9)[8:33]), "it has two headers"),
    "an animation": (animation(), "it is an animation of 3 pictures"),
    "cut short": (png()[:-20], "cannot be read ("),
    "empty": (b"", "it does not begin as a PNG"),
    "one byte": (png()[:32] + b"x" + png()[33:], "its header is damaged"),
    "a text of 2 MiB": (
        png(6, 4, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 << 20)))),
        "Decompressed data too large",
    ),
    "a profile of 2 MiB": (
        png(6, 4, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2 << 20)))),
        "Decompressed data too large",
    ),
    "texts of 5 MiB": (
        png(6, 4, chunk(b"tEXt", b"a\0" + b"x" * (5 << 20))),
        "it has over 4,194,304 bytes besides pixels, as in tEXt",
    ),
    "100,000 chunks": (png(6, 4, chunk(b"prIv") * 100_000), "it has over 65,536"),
    "70 MB": (hole(70 << 20, png()), "it has 73,400,320 bytes, over 67,108,864"),
    "another size": (png(6, 5), "Maps must have one size (height x width); "),
    "colours": (png(6, 4, mode=2), "holds RGB colours. Save indices"),
}
TEXTS = {
    "empty": (b"", "must not be empty"),
    "utf-16": ("the quick brown fox".encode("utf-16") * 2000, "must be utf-8; "),
    "zeros": (hole(1 << 16), "2 to 256 symbols; "),
    "an unfinished character": (b"ab" * 5000 + b"\xe2\x82", "must be utf-8; "),
}
OWN = {  # where a file of one's own lies -> what it is, what is said
    "maps.npy": NPY | PLACES,
    "maps.npz": NPZ,
    "land/12.png": PNG | PLACES,
    "book.txt": TEXTS | PLACES,
    "raw.txt": {"empty": TEXTS["empty"]},
}
CORRECTED = {  # a file whose content is to be corrected, likewise
    "letter.txt": {
        "17 MB": (hole(17 << 20), "--input is a text file of at most 16,777,216 bytes; "),
        "latin-1": (b"caf\xe9", "must be utf-8; "),
        **PLACES,
        "a link to nothing": (linked("nowhere"), "No such file"),
        "a link to itself": (loop, "oo many levels of symbolic"),
    },
    "map.png": {
        **PNG,
        **PLACES,
        "another size": (png(6, 5), "The model is of maps of 4 x 6 pixels; "),
    },
}
del CORRECTED["map.png"]["colours"]  # of which the run knows


# Sent


def each(table):
    return [(name, fault) for name, faults in table.items() for fault in faults]


def refused(report, fault, expected, result):
    """One line that says so, and nothing unpickled."""
    report(fault, expected, result.ending)
    assert expected in result.error
    assert not pathlib.Path("unpickled").exists()
    return result.error


@pytest.mark.parametrize(("name", "fault"), each(OWN))
def test_own_data(name, fault, place, report):
    """The line names the file, also among sound ones, and no run is begun."""
    content, expected = OWN[name][fault]
    file = pathlib.Path(name)
    texts = {"book.txt": [OWN_TEXT], "raw.txt": [OWN_TEXT, "--config.data.raw_bytes"]}
    if name == "land/12.png":
        file.parent.mkdir()
        for n in range(12):
            (file.parent / f"{n:02}.png").write_bytes(png())
    make(file, content)
    data = f"--config.data.path={name.removesuffix('/12.png')}"
    result = command(*texts.get(name, [OWN_MAPS]), data)
    assert file.name in refused(report, f"{name}: {fault}", expected, result)
    assert not pathlib.Path("runs").exists()


@pytest.mark.few(4)
@pytest.mark.slow
@pytest.mark.parametrize(("name", "fault"), each(CORRECTED))
def test_what_is_to_be_corrected(name, fault, finished_runs, place, report):
    content, expected = CORRECTED[name][fault]
    make(pathlib.Path(name), content)
    run = finished_runs("text" if name == "letter.txt" else "map array")
    result = command(f"--workdir={run.workdir}", "--mode=correct", f"--input={name}")
    assert name in refused(report, f"--input={name}: {fault}", expected, result)


# Archives


def member(part: str, n: int) -> str:
    return f"gtFine/{part}/ulm/ulm_{n:06}_000019_gtFine_labelIds.png"


def streets(counts, **changes) -> bytes:
    """An archive of the true layout, whose first map is what is changed."""
    names = (member(part, n) for part in counts for n in range(counts[part]))
    first, *others = (stored(name, SCENE) for name in names)
    return zipped(first._replace(**changes), *others)


SCENE = png(8, 4)


def scene(content: bytes) -> dict:
    """Another content of a map."""
    return dict(packed=content, size=len(content), crc=zlib.crc32(content))


STREETS = {  # what becomes of the first map of `train`, or of all
    "no zip": (b"not this one", "File is not a zip"),
    "another checksum": (dict(crc=1), "Bad CRC-32"),
    "fewer bytes told": (dict(size=20), "cannot be read ("),
    "4 GiB told": (dict(size=4 * GIB - 2), "has 4,294,967,294 bytes, over 4,194,304"),
    "missing": (dict(name="readme.txt"), "found 1 maps of train and 2 maps of val, expected 2"),
    "60000 x 60000": (scene(png(60000, 60000, pixels=b"")), "it has 60000 x 60000 pixels"),
    "a text": (scene(b"a map"), "it does not begin as a PNG"),
    "another size": (scene(png(6, 4)), "mode L, 6 x 4 pixels"),
    "colours": (scene(png(8, 4, mode=2)), "mode RGB, 8 x 4 pixels"),
    "no label": (
        scene(png(8, 4, pixels=zlib.compress(b"\0\x64\0\0\0\0\0\0\0" * 4))),
        "has 100, which",
    ),
}


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


def test_no_archive_of_cityscapes(manual, said):
    seen = command(CITYSCAPES).error
    said("no Cityscapes", "or train on maps of your own (experiments/own_maps.py)", seen)
    assert "put it, zipped, at " in seen
    assert "manual/gtFine_trainvaltest.zip" in seen


@pytest.mark.parametrize("fault", STREETS)
def test_an_archive_of_cityscapes(fault, manual, report):
    changes, expected = STREETS[fault]
    whole = isinstance(changes, bytes)
    content = changes if whole else streets(cityscapes.ARCHIVE.counts, **changes)
    (manual / "gtFine_trainvaltest.zip").write_bytes(content)
    error = refused(report, f"Cityscapes: {fault}", expected, command(CITYSCAPES))
    assert "is not the official gtFine_trainvaltest.zip" in error
    assert "Delete it and download it" in error


UNPACKED = {
    **{"a pipe": os.mkfifo, "holes": hole(1 << 40)},
    **{"another shape": npy(), "objects": npy(EVIL)},
}


@pytest.mark.parametrize("damage", UNPACKED)
def test_damaged_maps_of_cityscapes_are_not_read(damage, manual, report):
    (manual / "gtFine_trainvaltest.zip").write_bytes(streets(cityscapes.ARCHIVE.counts))
    cityscapes.load().rows("train")
    (manual / "gtFine_trainvaltest.zip").unlink()
    file = pathlib.Path("tfds/cityscapes/maps-1.0.0/4x8.npy")
    file.unlink()
    make(file, UNPACKED[damage])
    if damage in ("another shape", "objects"):  # by someone who knows of the checksum
        file.with_suffix(".sha256").write_text(hashlib.sha256(file.read_bytes()).hexdigest())
    refused(report, f"4x8.npy: {damage}", "4x8.npy is damaged", command(CITYSCAPES))


@pytest.mark.parametrize("fault", ["a bomb", "another file", *PLACES])
def test_an_archive_of_text8_is_known_before_it_is_inflated(fault, manual, report, monkeypatch):
    monkeypatch.setattr(published.zipfile, "ZipFile", None)
    content, expected = b"not this one", "is not the official text8.zip: found"
    if fault == "a bomb":
        content = zipped(bomb("text8", b"", 16))
        content = bytes(31_344_016 - len(content)) + content
        expected += " sha256"
    elif fault == "another file":
        expected += " 12 bytes, expected 31,344,016. Delete it"
    else:
        content = PLACES[fault][0]
        expected = "cannot be fetched (no route)" if "link" in fault else expected
    make(manual / "text8.zip", content)
    error = refused(report, f"text8.zip: {fault}", expected, command(TEXT8))
    assert "link" not in fault or "(experiments/own_text.py)" in error


def flipped(path):
    """Changes the byte in the middle, where a header lies."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


BUILT = {  # what becomes of files that TFDS built
    "one byte": ("text8-test.*", flipped),
    "missing": ("text8-test.*", pathlib.Path.unlink),
    "another kind": ("dataset_info.json", b'{"a": 1}'),
    "emptied": ("dataset_info.json", b""),
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
    make(file, damage)
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
    path.write_bytes(zipped(*(stored(str(n), b"") for n in range(200_000))))


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


def official(start: bytes, **other):
    """Writes an archive of as many maps as the official one, of which the first is a bomb."""

    def write(path):
        path.parent.mkdir(parents=True)
        changes = bomb(member("train", 0), start, **other)._asdict()
        path.write_bytes(streets({"train": 2975, "val": 500}, **changes))

    return write


HUGE = (2048, 1024, 1024)  # 2 GiB
EMPTY = described((10**4, 10**3, 100))
ZIP = "tfds/downloads/manual/gtFine_trainvaltest.zip"
BOMBS = {  # what is made -> where, how, what is said
    "2 GiB of maps": (
        *("maps.npz", inflates("train.npy", described(HUGE))),
        "A .npz is inflated in memory, up to 1,073,741,824 bytes; the arrays of",
    ),
    "2 GiB after what is said to be all": (
        *("maps.npz", inflates("train.npy", npy(), size=608)),
        "Bad CRC-32",
    ),
    "2 GiB of maps that are said to be 608 bytes": (
        *("maps.npz", inflates("x.npy", described(HUGE), size=608)),
        "Bad CRC-32",
    ),
    "1 GiB of a header": (
        *("maps.npz", inflates("x.npy", header("{", 2, GIB))),
        "EOF: reading array header",
    ),
    "1 GB that is not there": (
        *("maps.npz", zipped(stored("x", EMPTY)._replace(size=10**9 + 128))),
        "it is cut short: 0 bytes of 1,000,000,000",
    ),
    "200,000 members": ("maps.npz", crowd, "its list of members takes"),
    "1 TiB of int64": ("maps.npy", sparse((1 << 27, 32, 32), "<i8"), "must fit into memory"),
    "10 gigapixels": ("maps.npy", sparse((11, 10**5, 10**5)), "A map has at most 33,554,432"),
    "20,000 times 32 megapixels": ("land", many, "must fit into memory"),
    "32 megapixels of other colours": ("land", strange, "Colours must be in the palette of 2"),
    "a PNG with a text of 2 GiB": ("land", hidden, "it has 2,147,483,748 bytes, over"),
    "1 TiB of text": ("book.txt", hole(1 << 40), "must fit into memory"),
    "a map of 2 GiB": (ZIP, official(b""), "has 2,147,483,648 bytes, over 4,194,304"),
    "a map of 2 GiB that is said to have 1 MB": (
        *(ZIP, official(SCENE, size=1 << 20)),
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
    where, content, expected = BOMBS[fault]
    make(pathlib.Path(where), content)
    arguments = (OWN_TEXT if where == "book.txt" else OWN_MAPS, f"--config.data.path={where}")
    if fault == "32 megapixels of other colours":
        arguments += ("--config.data.palette=((0, 0, 0), (0, 0, 1))",)
    peak, line = measured(*([CITYSCAPES] if where == ZIP else arguments))
    seen = f"{peak} MB ({at_rest} with nothing to read): {line}"
    report(f"{pathlib.Path(where).name:.12}: {fault}", expected, seen)
    assert expected in line
    assert peak <= MOST
