"""Arrays that stay in their file: what they are, and that a file which shrinks is one line."""

import os

import numpy as np
import pytest

from amd_jax.data import maps, text
from amd_jax.data.reading import arrow
from amd_jax.data.reading.mapped import Mapped

SHRUNK = "bytes, and has 9 now. Restore it, and continue the run"


def test_views_are_mapped_and_what_is_computed_is_not(tmp_path):
    x = np.arange(24, dtype=np.uint8).reshape(4, 6)
    x.tofile(tmp_path / "x")
    mapped = Mapped(tmp_path / "x", np.uint8, "r", shape=(4, 6))
    for view in (mapped[1:], np.split(mapped, [2])[1], mapped.reshape(-1)[3:]):
        assert isinstance(view, Mapped)
    for computed in (mapped[[0, 2]], mapped != 3, mapped.sum(axis=0), mapped[1:].astype(int)[0]):
        assert type(computed) is np.ndarray
    assert isinstance(mapped.max(), np.uint8)
    assert isinstance(mapped[0, 0], np.uint8)
    np.testing.assert_array_equal(mapped[1:][1:], x[2:])


@pytest.mark.parametrize("size", [100, 20_000])  # the header takes 128 bytes: any page
def test_maps_that_shrink(size, tmp_path):
    file = tmp_path / "maps.npy"
    np.save(file, np.tile(np.arange(5, dtype=np.uint8), (size, 2, 1)))
    data = maps.load(file)
    validation = data.rows("validation")
    os.truncate(file, 9)
    for use in (lambda: data.batch(0, 0, 4), lambda: validation[:2], lambda: data.facts):
        with pytest.raises(ValueError, match=f"maps.npy had {size * 10 + 128:,} {SHRUNK}"):
            use()


def test_a_text_of_bytes_that_shrinks(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(bytes(range(200)) * 100)
    data = text.load(str(file), length=16, raw_bytes=True)
    os.truncate(file, 9)
    for use in (lambda: data.batch(0, 0, 4), lambda: data.rows("test")):
        with pytest.raises(ValueError, match=SHRUNK):
            use()


@pytest.mark.parametrize("kind", ["new_file", "new_stream"])
def test_a_table_of_arrow_that_shrinks_while_it_is_read(kind, tmp_path):
    pa = pytest.importorskip("pyarrow")
    data = pa.table({"n": np.arange(100_000) % 7})
    with getattr(pa.ipc, kind)(str(tmp_path / "t.arrow"), data.schema) as file:
        file.write_table(data, max_chunksize=10_000)
    blocks = arrow.reader("table_files").opened(str(tmp_path / "t.arrow")).blocks(["n"])
    next(blocks)
    os.truncate(tmp_path / "t.arrow", 90_000)
    with pytest.raises(ValueError, match="t.arrow cannot be read .* Save it anew"):
        list(blocks)
