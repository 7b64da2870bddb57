import numpy as np
import pytest

from amd_jax.data import stdlib_docs, text

POEM = "the quick brown fox jumps over the lazy dog. "


@pytest.fixture
def write(tmp_path):
    """Write bytes to a file and return its path."""

    def to_file(content: bytes) -> str:
        path = tmp_path / "file.txt"
        path.write_bytes(content)
        return str(path)

    return to_file


@pytest.mark.parametrize("crops", [True, False])
def test_a_batch_is_a_pure_function_of_seed_and_step(crops):
    first, second = (stdlib_docs.load(length=32, crops=crops) for _ in range(2))
    want = first.batch(seed=3, step=7, batch_size=16)
    second.batch(seed=3, step=5, batch_size=16)  # what came before does not matter
    assert want.shape == (16, 32)
    assert want.dtype == np.uint8
    np.testing.assert_array_equal(second.batch(seed=3, step=7, batch_size=16), want)
    assert (first.batch(seed=3, step=8, batch_size=16) != want).any()
    assert (first.batch(seed=4, step=7, batch_size=16) != want).any()


def numbered(num_rows: int, crops: bool) -> text.Text:
    """A text whose rows are 00, 11, 22, ..., so that a batch tells which rows it holds."""
    rows = np.repeat(np.arange(num_rows, dtype=np.uint8), 2)
    return text.Text(None, 2, lambda split: rows, crops=crops)


def test_an_epoch_covers_each_row_once():
    data = numbered(10, crops=False)
    batches = [data.batch(seed=0, step=step, batch_size=4) for step in range(5)]
    assert all((batch[:, 0] == batch[:, 1]).all() for batch in batches)
    visited = np.concatenate(batches)[:, 0]
    first, second = visited[:10], visited[10:]  # a batch of 4 crosses the border between them
    assert sorted(first) == sorted(second) == list(range(10))
    assert (first != second).any()


def test_a_batch_may_be_larger_than_the_data():
    batch = numbered(3, crops=False).batch(seed=0, step=0, batch_size=9)
    assert np.bincount(batch[:, 0]).tolist() == [3, 3, 3]


def test_crops_reach_every_offset():
    data = numbered(3, crops=True)
    pairs = {tuple(row) for row in data.batch(seed=0, step=0, batch_size=200).tolist()}
    assert pairs == {(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)}


def test_rows_tile_each_split_in_order(write):
    content = POEM * 40
    data = text.load(write(content.encode()), length=16)
    start = 0
    for split, size in (("train", 1620), ("validation", 90), ("test", 90)):
        assert len(data.stream(split)) == size
        rows = data.rows(split)
        assert rows.shape == (size // 16, 16)
        tiled = "".join(map(data.decode, rows))
        assert tiled == content[start : start + len(tiled)]
        start += size
    assert start == len(content)


def test_the_alphabet_is_read_from_the_file(write):
    data = text.load(write("naïve—été\r\n".encode() * 100), length=8)
    assert data.alphabet == "".join(sorted(set("naïve—été\r\n")))
    assert data.num_classes == len(data.alphabet)
    assert data.decode(data.encode("été—\n")) == "été—\n"
    assert data.decode(data.rows("train")[0]) == "naïve—ét"


def test_large_files_are_read_in_pieces(write, monkeypatch):
    content = "añb☃c\n" * 50
    whole = text.load(write(content.encode()), length=8).stream("train")
    monkeypatch.setattr(text.characters, "BLOCK", 7)
    pieces = text.load(write(content.encode()), length=8)
    np.testing.assert_array_equal(pieces.stream("train"), whole)
    assert pieces.frequencies().sum() == pytest.approx(1)


def test_raw_bytes_are_mapped_not_read(write):
    data = text.load(write(bytes(range(256)) * 10), length=100, raw_bytes=True)
    assert data.num_classes == 256
    assert not data.stream("train").flags.owndata
    assert data.rows("train")[1].tolist() == list(range(100, 200))
    assert type(data.batch(0, 0, 4)) is np.ndarray
    assert data.decode(data.encode("é")) == "é"
    assert data.decode([0xC3, 0x28]) == "\ufffd("  # not utf-8


def test_frequencies_are_smoothed_shares():
    data = text.Text("abc", 1, lambda split: np.array([0, 0, 0, 1], np.uint8))
    np.testing.assert_allclose(data.frequencies(), [4 / 7, 2 / 7, 1 / 7])


def test_encode_names_the_foreign_character():
    with pytest.raises(ValueError, match="'X' at position 4"):
        stdlib_docs.load().encode("the X")


@pytest.mark.parametrize("token", [-1, 27])
def test_decode_refuses_tokens_outside_the_alphabet(token):
    with pytest.raises(ValueError, match=r"must lie in 0, \.\.\., 26"):
        stdlib_docs.load().decode(np.array([0, token]))


def test_summary_shows_sizes_and_alphabet(write):
    data = text.load(write((POEM * 40).encode()), length=16)
    assert data.summary().splitlines() == [
        "file.txt: train 1,620, validation 90, test 90 chars, rows of 16",
        "alphabet of 28: ' .abcdefghijklmnopqrstuvwxyz'",
    ]


@pytest.mark.parametrize(
    ("content", "raw_bytes", "message"),
    [
        (b"", False, "must not be empty"),
        (b"caf\xe9 " * 2000, False, r"must be utf-8; .* 0xe9 .*raw_bytes"),
        (b"too short", False, "about 5120; .* has 9"),
        (b"ab" * 2500, True, "about 5120; .* has 5000"),
        ("".join(map(chr, range(32, 320))).encode() * 20, False, r"has 288.*raw_bytes"),
        (b"a" * 10_000, False, "2 to 256 symbols; .* has 1"),
    ],
)
def test_bad_files_are_refused(write, content, raw_bytes, message):
    with pytest.raises(ValueError, match=message) as error:
        text.load(write(content), raw_bytes=raw_bytes)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="found nothing at .*absent"):
        text.load(str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="found a folder at"):
        text.load(str(tmp_path))


def test_bad_parts_are_refused():
    def read(split):
        return np.zeros(5, np.uint8)

    with pytest.raises(ValueError, match="length of at least 1; got 0"):
        text.Text("ab", 0, read)
    with pytest.raises(ValueError, match="differ; text has 'aba'"):
        text.Text("aba", 4, read)
    with pytest.raises(ValueError, match="one row of 6 characters; test of text has 5"):
        text.Text("ab", 6, read).rows("test")
    with pytest.raises(ValueError, match="one of train, validation, test; got 'valid'"):
        text.Text("ab", 4, read).rows("valid")


def test_nothing_is_read_before_it_is_needed_and_then_once():
    calls = []

    def read(split):
        calls.append(split)
        return np.zeros(100, np.uint8)

    data = text.Text("ab", 4, read)
    data.decode(data.encode("abba"))
    assert calls == []
    for step in range(3):
        data.batch(0, step, 2)
    data.rows("train")
    assert calls == ["train"]
