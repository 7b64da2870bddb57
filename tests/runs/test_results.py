"""results.json and per_row.npz: what is measured of a run, and what it was in each row."""

import dataclasses
import io
import json
import re
import sys
import zipfile

import numpy as np
import pytest

from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.measurement import Measurement
from amd_jax.runs import per_row, results
from tests.runs import damages

ROWS = PerRow(np.arange(60.0), np.full(60, 256))
QUESTION = {"what": "bits", "bound": "elbo", "split": "test", "examples": 60, "step": 8}
KEY = results.key(QUESTION)


def bits(*, per_row=ROWS, value=2.0, **others):
    return Measurement(**QUESTION | {"value": value, "error": 0.1, **others}, per_row=per_row)


def test_a_figure_is_kept_with_what_it_was_in_each_row(tmp_path):
    valid = Measurement(what="valid", value=0.5, step=8)  # no mean over rows
    results.add(tmp_path, bits())
    results.add(tmp_path, valid)
    command = tuple(sys.argv)
    kept = [dataclasses.replace(figure, command=command) for figure in (bits(), valid)]
    assert results.read(tmp_path) == kept
    np.testing.assert_array_equal(results.read(tmp_path)[0].rows, ROWS)
    with pytest.raises(ValueError, match="What valid was in each row is not known"):
        results.read(tmp_path)[1].rows.mean()
    assert (tmp_path / per_row.NAME).stat().st_size < 1500


def test_another_measurement_of_the_same_takes_its_place(tmp_path):
    results.add(tmp_path, bits())
    results.add(tmp_path, bits(step=9))
    results.add(tmp_path, bits(per_row=PerRow(ROWS.sums + 1, ROWS.counts), value=float("nan")))
    figures = results.read(tmp_path)
    assert [(f.step, f.value) for f in figures] == [(9, 2.0), (8, None)]
    assert [f.rows.sums[0] for f in figures] == [0.0, 1.0]


def test_rows_of_figures_that_are_gone_go_too(tmp_path):
    results.add(tmp_path, bits())
    (tmp_path / results.NAME).unlink()
    assert results.read(tmp_path) == []
    results.add(tmp_path, bits(step=9))
    assert list(per_row.look(tmp_path)[0]) == [results.key(QUESTION | {"step": 9})]


def test_a_run_of_an_earlier_version_is_read(tmp_path):
    """Fields had other names, and the array of a figure is named by what stands in the file."""
    entry = {"what": "restored", "value": 0.5, "error": 0.1, "how": "by guess", "rows": 60}
    (tmp_path / results.NAME).write_text(json.dumps([entry, {**entry, "samples": 64}]))
    per_row.write(tmp_path, {results.key(entry): np.stack(ROWS)})
    (figure, other) = results.read(tmp_path)
    assert figure.question() == {"what": "restored", "method": "by guess", "examples": 60}
    np.testing.assert_array_equal(figure.rows, ROWS)
    assert other.per_row is None
    results.add(tmp_path, bits())  # which writes all of them anew
    np.testing.assert_array_equal(results.read(tmp_path)[0].rows, ROWS)


def test_the_same_again_leaves_the_file_as_it_is(tmp_path):
    results.add(tmp_path, bits())
    before = (tmp_path / per_row.NAME).stat().st_mtime_ns
    results.add(tmp_path, bits())
    assert (tmp_path / per_row.NAME).stat().st_mtime_ns == before


def test_a_key_is_of_what_was_measured_and_not_of_what_came_out():
    others = [
        bits(value=3.0, error=None, command=("run",)).to_json(),
        dict(reversed(QUESTION.items())),
    ]
    assert {results.key(entry) for entry in others} == {KEY}
    assert results.key({**QUESTION, "step": 9}) != KEY


@pytest.mark.parametrize(
    "entry",
    [
        *(7, {}, {"what": None}, {"what": ["bits"]}, {"what": "bits", "value": "2"}),
        *(
            {"what": "bits", "more": 1},
            {"what": "bits", "step": 1.5},
            {"what": "bits", "seed": {}},
        ),
        *({"what": "bits", "exact": 1}, {"what": "bits", "examples": True}),
        *({"what": "bits", "command": "rm"}, {"what": "bits", "command": [1]}),
    ],
    ids=str,
)
def test_what_is_no_figure_is_left_out_and_said(tmp_path, entry):
    (tmp_path / results.NAME).write_text(json.dumps([entry, QUESTION]))
    (figure,), damage, _ = results.look(tmp_path)
    assert figure.question() == QUESTION
    assert damage.startswith("some of it are no figures: ")
    results.add(tmp_path, bits())
    first, *_ = json.loads((tmp_path / results.NAME).read_text())
    assert first == entry  # nothing is lost


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, None])
def test_a_number_that_is_not_finite_is_none(value):
    assert Measurement.from_json(QUESTION | {"value": value}).value is None


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
    results.add(tmp_path, bits())
    path = tmp_path / per_row.NAME
    path.write_bytes(content)
    (figure,) = results.read(tmp_path)
    assert figure.per_row is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{path} is damaged: ")
    result, damage = per_row.look(tmp_path)
    assert result == {}
    assert re.search(reason, damage)
    results.add(tmp_path, bits())
    assert results.read(tmp_path)[0].per_row is not None


@pytest.mark.parametrize("kind", damages.DAMAGES)
def test_whatever_befalls_the_file_no_exception_does(tmp_path, kind):
    results.add(tmp_path, bits())
    damages.damage(tmp_path / per_row.NAME, kind)
    rows = results.read(tmp_path)[0].per_row
    assert rows is None or np.array_equal(rows, ROWS)
