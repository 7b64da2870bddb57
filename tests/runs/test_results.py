"""results.json and per_row.npz: what is measured of a run, and what it was in each row."""

import io
import json
import re
import zipfile

import numpy as np
import pytest

from amd_jax.runs import per_row, results
from tests.runs import damages

ROWS = np.arange(60.0), np.full(60, 256)
BITS = {"what": "bits", "bound": "elbo", "split": "test", "examples": 60, "step": 8}


def add(workdir, rows=ROWS, **how):
    results.add(workdir, rows, **{**BITS, "value": 2.0, "error": 0.1, **how})


def test_a_figure_is_kept_with_what_it_was_in_each_row(tmp_path):
    add(tmp_path)
    results.add(tmp_path, what="valid", value=0.5, error=None, step=8)  # no mean over rows
    (bits, valid), rows = results.read(tmp_path), results.read_rows(tmp_path)
    assert (bits["value"], valid["value"]) == (2.0, 0.5)
    assert list(rows) == [results.key(bits)]
    np.testing.assert_array_equal(rows[results.key(BITS)], np.stack(ROWS))
    assert (tmp_path / per_row.NAME).stat().st_size < 1500


def test_another_measurement_of_the_same_takes_its_place(tmp_path):
    add(tmp_path)
    add(tmp_path, step=9)
    add(tmp_path, (ROWS[0] + 1, ROWS[1]), value=float("nan"))
    figures, rows = results.read(tmp_path), results.read_rows(tmp_path)
    assert [(f["step"], f["value"]) for f in figures] == [(9, 2.0), (8, None)]
    assert [rows[results.key(f)][0][0] for f in figures] == [0.0, 1.0]


def test_rows_of_figures_that_are_gone_go_too(tmp_path):
    add(tmp_path)
    (tmp_path / results.NAME).unlink()
    assert results.read_rows(tmp_path) == {}
    add(tmp_path, step=9)
    assert list(per_row.look(tmp_path)[0]) == [results.key({**BITS, "step": 9})]


def test_a_run_of_an_earlier_version_has_none(tmp_path):
    results.add(tmp_path, **BITS, value=2.0, error=0.1)
    assert results.read_rows(tmp_path) == {}
    assert not (tmp_path / per_row.NAME).exists()


def test_the_same_again_leaves_the_file_as_it_is(tmp_path):
    add(tmp_path)
    before = (tmp_path / per_row.NAME).stat().st_mtime_ns
    add(tmp_path)
    assert (tmp_path / per_row.NAME).stat().st_mtime_ns == before


def test_a_key_is_of_what_was_measured_and_not_of_what_came_out():
    others = [
        {**BITS, "value": 3.0, "error": None, "command": ["run"]},
        dict(reversed(BITS.items())),
    ]
    assert {results.key(f) for f in [BITS, *others]} == {results.key(BITS)}
    assert results.key({**BITS, "step": 9}) != results.key(BITS)
    assert results.key({**BITS, "times": (1.0, 0.5)}) == results.key({**BITS, "times": [1.0, 0.5]})


def archive(**arrays):
    """An .npz, whatever is in it."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def bomb():
    """An .npz of some kilobytes that unpacks to 3 MB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("a.npy", bytes(3_000_000))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a zip file"),
        (b"junk", "not a zip file"),
        (archive(a=np.array([{}])), "allow_pickle"),
        (archive(a=np.zeros((3, 4))), r"no pair of rows, but float64 \(3, 4\)"),
        (archive(a=np.zeros((2, 4), int)), "no pair of rows, but int64"),
        (archive(a=np.zeros((2, 4)))[:-40], ""),
        (bomb(), "3,000,000 bytes, more than 1,000,000"),
    ],
    ids=["empty", "junk", "pickle", "shape", "kind", "cut off", "bomb"],
)
def test_damaged_rows_are_one_line_and_are_written_anew(
    tmp_path, capsys, monkeypatch, content, reason
):
    monkeypatch.setattr(per_row, "LARGEST", 1_000_000)
    add(tmp_path)
    path = tmp_path / per_row.NAME
    path.write_bytes(content)
    assert results.read_rows(tmp_path) == {}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{path} is damaged: ")
    assert len(results.read(tmp_path)) == 1
    result, damage = per_row.look(tmp_path)
    assert result == {}
    assert re.search(reason, damage)
    add(tmp_path)
    assert list(results.read_rows(tmp_path)) == [results.key(BITS)]


@pytest.mark.parametrize("kind", damages.DAMAGES)
def test_whatever_befalls_the_file_no_exception_does(tmp_path, kind):
    add(tmp_path)
    damages.damage(tmp_path / per_row.NAME, kind)
    rows = results.read_rows(tmp_path)
    assert rows == {} or np.array_equal(rows[results.key(BITS)], np.stack(ROWS))


def test_figures_of_anybody_have_a_key(tmp_path):
    (tmp_path / results.NAME).write_text(json.dumps([{"what": [None, {"a": 1}]}, {}]))
    (tmp_path / per_row.NAME).write_bytes(archive(a=np.zeros((2, 4))))
    assert results.read_rows(tmp_path) == {}
