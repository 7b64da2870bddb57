"""Files of tokens: each format read back, shards as one stream, and what is refused in a line."""

import struct

import numpy as np
import pytest

from amd_jax.data.reading import token_shards
from amd_jax.data.reading.token_shards import Stream

TOKENS = np.random.default_rng(0).integers(300, size=1000).astype(np.uint16)


def megatron(path, tokens, lengths, magic=b"MMIDIDX\x00\x00", version=1, code=8):
    """A pair as Megatron's IndexedDatasetBuilder writes it, of documents of one sequence each."""
    tokens.tofile(path.with_suffix(".bin"))
    lengths = np.array(lengths, np.int32)
    pointers = np.concatenate([[0], np.cumsum(lengths)[:-1]]) * tokens.itemsize
    documents = np.arange(len(lengths) + 1)
    path.with_suffix(".idx").write_bytes(
        magic
        + struct.pack("<QBQQ", version, code, len(lengths), len(documents))
        + lengths.tobytes()
        + pointers.astype("<i8").tobytes()
        + documents.astype("<i8").tobytes()
    )


def written(folder, kind):
    """A path of one or more files that hold TOKENS."""
    path = folder / "tokens.bin"
    if kind == "uint16":
        TOKENS.tofile(path)
    elif kind == "uint32":
        TOKENS.astype("<u4").tofile(path)
    elif kind.startswith("npy"):
        path = folder / "tokens.npy"
        np.save(path, TOKENS.astype(kind.partition(" ")[2]))
    elif kind == "megatron":
        megatron(path, TOKENS.astype(np.int32), [400, 1, 599], code=4)
    elif kind == "idx":
        megatron(path, TOKENS, [1000])
        path = folder / "tokens.idx"
    else:
        ends = [0, 1, 1, 400, 990]  # one of them empty
        for i, part in enumerate(np.split(TOKENS, ends)):
            part.tofile(folder / f"part_{i}.bin")
        (folder / "notes.txt").write_text("no tokens")
        path = folder if kind == "folder" else folder / "part_*.bin"
    return str(path)


KINDS = ["uint16", "uint32", "npy uint16", "npy >u4", "npy int64", "megatron", "idx", "folder"]


@pytest.mark.parametrize("kind", [*KINDS, "pattern"])
def test_tokens_are_read_back(tmp_path, kind):
    dtype = "uint32" if kind == "uint32" else "uint16"
    stream = Stream(token_shards.find(written(tmp_path, kind), dtype))
    assert len(stream) == len(TOKENS)
    starts = np.array([0, 1, 396, 399, 400, 985, 990, 380, 0])
    for length in (1, 10):
        want = TOKENS[starts[:, None] + np.arange(length)]
        np.testing.assert_array_equal(stream.windows(starts, length), want)
    np.testing.assert_array_equal(stream.windows(np.array([0]), 1000)[0], TOKENS)


def test_the_place_of_a_token_is_in_its_file(tmp_path):
    stream = Stream(token_shards.find(written(tmp_path, "folder")))
    assert stream.place(399) == f"token 398 of {tmp_path / 'part_3.bin'}"
    assert stream.place(400) == f"token 0 of {tmp_path / 'part_4.bin'}"


def refused(message, path, **arguments):
    with pytest.raises(ValueError, match=message) as caught:
        token_shards.find(str(path), **arguments)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_of_tokens_is_refused(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    odd = "A token of uint16 takes 2 bytes; .* has 3 bytes, which is no whole number of tokens"
    refused(odd, tmp_path / "a.bin")
    refused("found nothing at", tmp_path / "none.bin")
    (tmp_path / "a.txt").write_text("text")
    refused("Tokens are a .bin, a .npy", tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    refused("has no such file", tmp_path / "empty")
    refused("has no such file", tmp_path / "x_*.bin")
    refused("Data are read from this machine", "gs://a/b.bin")
    refused("dtype is one of uint16, uint32; got 'int8'", tmp_path, dtype="int8")


def test_a_npy_of_no_tokens_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    for array, found in (
        (np.zeros(4, np.float32), "float32 of the shape"),
        (np.zeros((2, 2), np.uint16), r"\(2, 2\)"),
        (np.array(["a"]), "<U1"),
        (np.array([None]), "Python objects"),
    ):
        np.save(path, array)
        refused(found, path)
    path.write_bytes(b"not numpy")
    refused(token_shards.RULE, path)


def test_shards_of_different_types_are_refused(tmp_path):
    TOKENS.tofile(tmp_path / "a.bin")
    np.save(tmp_path / "b.npy", TOKENS.astype(np.int32))
    refused("All shards are of one type; a.bin is uint16, and b.npy is int32", tmp_path)


@pytest.mark.parametrize(
    ("change", "size", "message"),
    [
        ({"magic": b"HDIDX\0\0\0\0"}, None, r"An .idx begins with b'MMIDIDX.*begins with b'HDI"),
        ({"version": 2}, None, "has version 2 and type 8"),
        ({"code": 6}, None, "has version 1 and type 6"),
        ({"lengths": [900]}, None, "tells of 1,800 bytes, and a.bin has 2,000"),
        ({}, 20, "ends in it"),
        ({}, 40, "has 40 bytes"),
    ],
)
def test_a_wrong_index_is_refused(tmp_path, change, size, message):
    megatron(tmp_path / "a.bin", TOKENS, **{"lengths": [1000], **change})
    index = tmp_path / "a.idx"
    index.write_bytes(index.read_bytes()[:size])
    refused(message, tmp_path / "a.bin")


def test_a_file_that_becomes_shorter_is_an_error_of_one_line(tmp_path):
    stream = Stream(token_shards.find(written(tmp_path, "uint16")))
    (tmp_path / "tokens.bin").write_bytes(TOKENS[:500].tobytes())
    with pytest.raises(ValueError, match="had 1,000 tokens, and ends now before token 505"):
        stream.windows(np.array([495]), 10)
    (tmp_path / "tokens.bin").unlink()
    with pytest.raises(ValueError, match=r"cannot be read \(.*No such file"):
        stream.windows(np.array([0]), 10)
