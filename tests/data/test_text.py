import numpy as np
import pytest

from amd_jax.data import text

POEM = "the quick brown fox jumps over the lazy dog. "


@pytest.fixture
def write(tmp_path):
    """Write text, or bytes, to a file and return its path."""

    def to_file(content: str | bytes) -> str:
        path = tmp_path / "file.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return to_file


def numbered(num_rows: int, crops: bool) -> text.Text:
    """A text whose rows are 00, 11, 22, ..., so that a batch tells which rows it holds."""
    rows = np.repeat(np.arange(num_rows, dtype=np.uint8), 2)
    return text.Text(None, 2, {"train": rows}, crops=crops)


def test_an_epoch_covers_each_row_once():
    data = numbered(10, crops=False)
    batches = [data.batch(seed=0, step=step, batch_size=4) for step in range(5)]
    assert all((batch[:, 0] == batch[:, 1]).all() for batch in batches)
    visited = np.concatenate(batches)[:, 0]
    first, second = visited[:10], visited[10:]  # a batch of 4 crosses the border between them
    assert sorted(first) == sorted(second) == list(range(10))
    assert (first != second).any()
    large = numbered(3, crops=False).batch(seed=0, step=0, batch_size=9)
    assert np.bincount(large[:, 0]).tolist() == [3, 3, 3]


def test_crops_reach_every_offset():
    data = numbered(3, crops=True)
    pairs = {tuple(row) for row in data.batch(seed=0, step=0, batch_size=200).tolist()}
    assert pairs == {(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)}


def test_rows_tile_each_split_in_order(write):
    content = POEM * 40
    data = text.load(write(content), length=16)
    start = 0
    for split, size in (("train", 1620), ("validation", 90), ("test", 90)):
        assert len(data.stream(split)) == size
        rows = data.rows(split)
        assert rows.shape == (size // 16, 16)
        tiled = "".join(map(data.facts.decode, rows))
        assert tiled == content[start : start + len(tiled)]
        start += size
    assert start == len(content)


def test_the_alphabet_is_read_from_the_file(write):
    data = text.load(write("naïve—été\n" * 100), length=8)
    facts = data.facts
    assert data.alphabet == facts.alphabet == "".join(sorted(set("naïve—été\n")))
    assert (facts.num_classes, facts.event_shape, facts.unit) == (len(data.alphabet), (8,), "char")
    assert facts.decode(facts.encode("été—\n")) == "été—\n"
    assert facts.decode(data.rows("train")[0]) == "naïve—ét"


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_line_ends_of_any_system_are_one_symbol(write, ending):
    data = text.load(write(f"one{ending}two{ending}" * 50), length=8)
    assert data.alphabet == "\nenotw"
    assert data.facts.decode(data.rows("train")[0]) == "one\ntwo\n"


def test_rare_characters_share_one_symbol(write):
    content = "abc" * 200 + "\u2603xdd\u2604" + "abc" * 200
    data = text.load(write(content), length=8, min_count=2)
    assert data.alphabet == "abcd\ufffd"
    whole = np.concatenate([data.stream(split) for split in data.splits])
    assert data.facts.decode(whole) == "abc" * 200 + "\ufffd\ufffddd\ufffd" + "abc" * 200
    assert data.facts.encode("a\u2603").tolist() == [0, 4]


def test_large_files_are_read_in_pieces(write, monkeypatch):
    content = "añb☃c\n" * 50
    whole = text.load(write(content), length=8).stream("train")
    monkeypatch.setattr(text.characters, "BLOCK", 7)
    pieces = text.load(write(content), length=8)
    np.testing.assert_array_equal(pieces.stream("train"), whole)
    assert sum(pieces.facts.frequencies) == pytest.approx(1)


def test_raw_bytes_are_mapped_not_read(write):
    data = text.load(write(bytes(range(256)) * 10), length=100, raw_bytes=True)
    assert data.facts.num_classes == 256
    assert not data.stream("train").flags.owndata
    assert data.rows("train")[1].tolist() == list(range(100, 200))
    assert type(data.batch(0, 0, 4)) is np.ndarray
    assert data.facts.decode(data.facts.encode("é")) == "é"
    assert data.facts.decode([0xC3, 0x28]) == "\ufffd("  # not utf-8


def test_frequencies_are_smoothed_shares_and_a_missing_split_is_named():
    data = text.Text("abc", 1, {"train": np.array([0, 0, 0, 1], np.uint8)})
    np.testing.assert_allclose(data.facts.frequencies, [4 / 7, 2 / 7, 1 / 7])
    with pytest.raises(ValueError, match="text has no split 'test'; it has train"):
        data.rows("test")


def test_bad_parts_are_refused(write):
    streams = {"train": np.zeros(5, np.uint8), "test": np.zeros(5, np.uint8)}
    with pytest.raises(ValueError, match="length of at least 1; got 0"):
        text.Text("ab", 0, streams)
    with pytest.raises(ValueError, match="differ; text has 'aba'"):
        text.Text("aba", 4, streams)
    with pytest.raises(ValueError, match="one row of 6 characters; test of text has 5"):
        text.Text("ab", 6, streams).rows("test")
    with pytest.raises(ValueError, match="about 5120; .* has 5000"):
        text.load(write(b"ab" * 2500), raw_bytes=True)
