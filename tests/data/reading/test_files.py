"""Words for what is wrong with a file."""

import warnings

import pytest

from amd_jax.data.reading import characters, files
from amd_jax.host import memory


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("one line.\nand another"), "one line"),
        (MemoryError(), "MemoryError"),
        (ValueError("\x1b[2Jgone"), "\ufffd[2Jgone"),
        (ValueError("x" * 1000), "x" * 160),
    ],
)
def test_a_reason_is_one_line(error, told):
    assert files.reason(error) == told


def test_whatever_a_decoder_does_is_one_line(recwarn):
    def decode():
        with files.decoding("Rule", "name", "Way out."):
            warnings.warn("not shown", stacklevel=1)
            raise RecursionError

    with pytest.raises(ValueError, match=r"^Rule; name cannot be read \(RecursionError\)\. Way"):
        decode()
    assert not recwarn


def test_a_text_larger_than_memory_is_refused_unless_it_stays_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 5)
    (tmp_path / "book.txt").write_text("abcdef")
    with pytest.raises(ValueError, match=r"of which 5 bytes are free; they take 6\. .*raw_bytes"):
        characters.read_file(tmp_path / "book.txt")


def test_a_home_that_is_not_there_is_left_as_it_stands():
    assert str(files.expanded("~nobody-here/x")) == "~nobody-here/x"
    assert files.expanded("~").is_absolute()
