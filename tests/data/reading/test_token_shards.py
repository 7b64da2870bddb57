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


@pytest.mark.parametrize(
    "kind",
    [
        *("uint16", "uint32", "npy uint16", "npy >u4", "npy int64"),
        *("megatron", "idx", "folder", "pattern"),
    ],
)
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


def refused(tmp_path, name, content=b"", path=None):
    if name:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=".") as caught:
        token_shards.find(path or str(tmp_path / name))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_an_odd_size_is_refused(tmp_path):
    message = refused(tmp_path, "a.bin", b"abc")
    assert "A token of uint16 takes 2 bytes" in message
    assert "has 3 bytes, which is no whole number of tokens" in message


def test_what_is_no_file_of_tokens_is_refused(tmp_path):
    assert "found nothing at" in refused(tmp_path, "", path=str(tmp_path / "none.bin"))
    assert "Tokens are a .bin, a .npy" in refused(tmp_path, "a.txt", b"text")
    (tmp_path / "empty").mkdir()
    assert "has no such file" in refused(tmp_path, "", path=str(tmp_path / "empty"))
    assert "has no such file" in refused(tmp_path, "", path=str(tmp_path / "x_*.bin"))
    assert "Data are read from this machine" in refused(tmp_path, "", path="gs://a/b.bin")
    with pytest.raises(ValueError, match="dtype is one of uint16, uint32; got 'int8'"):
        token_shards.find(str(tmp_path), "int8")


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros(4, np.float32), "float32 of the shape"),
        (np.zeros((2, 2), np.uint16), r"\(2, 2\)"),
        (np.array(["a"]), "<U1"),
        (np.array([None]), "Python objects"),
    ],
)
def test_a_npy_of_another_type_or_shape_is_refused(tmp_path, array, found):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=found):
        token_shards.find(str(tmp_path / "a.npy"))


def test_a_npy_that_is_none_is_refused(tmp_path):
    message = refused(tmp_path, "a.npy", b"not numpy")
    assert message.startswith(token_shards.RULE)


def test_shards_of_different_types_are_refused(tmp_path):
    TOKENS.tofile(tmp_path / "a.bin")
    np.save(tmp_path / "b.npy", TOKENS.astype(np.int32))
    message = refused(tmp_path, "", path=str(tmp_path))
    assert "All shards are of one type; a.bin is uint16, and b.npy is int32" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"magic": b"HDIDX\x00\x00\x00\x00"}, r"An .idx begins with b'MMIDIDX.*begins with b'HDI"),
        ({"version": 2}, "has version 2 and type 8"),
        ({"code": 6}, "has version 1 and type 6"),
        ({"lengths": [900]}, "tells of 1,800 bytes, and a.bin has 2,000"),
    ],
)
def test_a_wrong_index_is_refused(tmp_path, change, message):
    megatron(tmp_path / "a.bin", TOKENS, **{"lengths": [1000], **change})
    with pytest.raises(ValueError, match=message):
        token_shards.find(str(tmp_path / "a.bin"))


@pytest.mark.parametrize(("size", "message"), [(20, "ends in it"), (40, "has 40 bytes")])
def test_an_index_that_was_cut_off_is_refused(tmp_path, size, message):
    megatron(tmp_path / "a.bin", TOKENS, [400, 600])
    index = tmp_path / "a.idx"
    index.write_bytes(index.read_bytes()[:size])
    with pytest.raises(ValueError, match=message):
        token_shards.find(str(tmp_path / "a.bin"))


def test_a_file_that_becomes_shorter_is_an_error_of_one_line(tmp_path):
    stream = Stream(token_shards.find(written(tmp_path, "uint16")))
    (tmp_path / "tokens.bin").write_bytes(TOKENS[:500].tobytes())
    with pytest.raises(ValueError, match="had 1,000 tokens, and ends now before token 505"):
        stream.windows(np.array([495]), 10)
    (tmp_path / "tokens.bin").unlink()
    with pytest.raises(ValueError, match=r"cannot be read \(.*No such file"):
        stream.windows(np.array([0]), 10)
