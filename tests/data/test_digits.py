import gzip
import importlib.util

import numpy as np
import pytest

from amd_jax.data import digits

ROWS = 850


@pytest.fixture
def rows():
    return np.random.default_rng(0).integers(0, 17, size=(ROWS, 65)) % np.append([17] * 64, 10)


def written(tmp_path, rows, packed=True):
    """A file as scikit-learn's: numbers without a point, a line for each row."""
    text = "\n".join(",".join(map(str, row)) for row in np.asarray(rows).tolist()) + "\n"
    file = tmp_path / ("digits.csv.gz" if packed else "digits.csv")
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return file


@pytest.mark.parametrize("packed", [True, False])
def test_rows_in_order_without_the_digit(tmp_path, rows, packed):
    data = digits.load(str(written(tmp_path, rows, packed)))
    assert [len(data.rows(split)) for split in data.splits] == [ROWS - 397, 100, 297]
    every = np.concatenate([data.rows(split) for split in data.splits])
    np.testing.assert_array_equal(every.reshape(ROWS, 64), rows[:, :64])
    assert (data.facts.num_classes, data.facts.event_shape) == (17, (8, 8))
    greys = data.facts.colours
    assert (greys[0].tolist(), greys[-1].tolist()) == ([0] * 3, [255] * 3)
    assert (np.diff(greys.astype(int), axis=0) > 0).all()
    assert not data.augment


def test_the_file_of_scikit_learn_is_found(tmp_path, monkeypatch, rows):
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    (tmp_path / "datasets" / "data").mkdir(parents=True)
    written(tmp_path / "datasets" / "data", rows)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: Spec)
    assert len(digits.load().rows("test")) == 297
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"not installed. Install it with pip .*\[digits\]"):
        digits.load()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:, 1:], "its rows have 64 numbers"),
        (lambda rows: rows + 1, "it has other levels"),
        (lambda rows: rows - 0.5, "it has other levels"),
        (lambda rows: rows[:300], "has 300 rows, too few to split"),
        (lambda rows: [["a"] * 65], "cannot be read"),
    ],
)
def test_other_files_are_refused_in_a_line(tmp_path, rows, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        digits.load(str(written(tmp_path, change(rows))))
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="found nothing at"):
        digits.load(str(tmp_path / "missing.gz"))
