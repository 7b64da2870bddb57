"""What is said of samples of a table: files, baselines, and measures beside real rows."""

import csv
import re

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from amd_jax.data import bayesian_networks
from amd_jax.data.table import Table
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.tables import (
    baselines,
    charts,
    copying,
    detection,
    features,
    similarity,
    text_tables,
    usefulness,
)
from amd_jax.models.bounds import Likelihood
from tests.pages.written import TABLE
from tests.pages.written import rows as tokens


class Uniform:
    """Every token of a field is as likely."""

    bounds = (Likelihood(),)

    def elbo(self, params, rng, x, condition=None):
        return jnp.full(len(x), -np.log(TABLE.sizes).sum())


@pytest.fixture
def data():
    sizes = {"train": 300, "validation": 40, "test": 200}
    rows = {split: tokens(n, n).astype(np.uint8) for split, n in sizes.items()}
    return Table(TABLE.columns, rows, "people")


@pytest.fixture
def report(data, monkeypatch):
    monkeypatch.setattr(features, "ITERATIONS", 8)
    monkeypatch.setattr(baselines, "COMPONENTS", (2, 5))
    baselines.fitted.cache_clear()
    return run_report.of(data.facts)


def test_samples_become_a_csv_and_lines(report, tmp_path):
    drawn = tokens(30, 1).astype(np.int32)
    drawn[4, 2] = 9  # a weight of 90 and more
    drawn[0, 0] = 2
    lines = report.samples(drawn, tmp_path / "samples")
    assert re.fullmatch(r"colour   =cmd         .*", lines[0])
    assert lines[3] == "country  here          here          here          here          here"
    assert "... and 24 more rows" in lines
    assert "samples with a value that no column has, left out: 3.33%" in lines
    with open(tmp_path / "samples.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["colour", "age", "weight", "country"]
    assert len(rows) == 30
    assert rows[1][0] == "'=cmd"
    assert "cells that a spreadsheet would execute, escaped by ':" in "\n".join(lines)
    np.testing.assert_array_equal(np.load(tmp_path / "samples.npz")["samples"], drawn)
    assert not any("table:" in line for line in report.samples(drawn, None))
    report.samples(tokens(9, 2), tmp_path / "samples")
    assert (tmp_path / "samples-2.csv").exists()


@pytest.mark.usefixtures("any_types")
def test_nothing_possible_is_said(report, data):
    drawn = np.full((3, 5), 9, np.int32)
    left_out = "samples with a value that no column has, left out: 100.00%"
    assert left_out in report.samples(drawn, None)
    line = "samples beside real rows: not measured, since none is possible"
    assert report.compared(drawn, None, None, None, data) == ([line], [])


def test_many_columns_and_long_cells_are_cut():
    lines = text_tables.aligned([(f"name {i}", ["x" * 50]) for i in range(60)])
    assert len(lines) == text_tables.LINES + 1
    assert lines[-1] == "... and 20 more columns"
    assert lines[0] == f"name 0   {'x' * 11}…"


def test_preview_is_a_table(report):
    drawn = tokens(4, 3).astype(np.int32)
    drawn[:, 0] = 1
    lines = report.preview(drawn).splitlines()
    assert lines[:2] == ["| colour | age | weight | country |", "| --- | --- | --- | --- |"]
    assert lines[2].startswith("| a, b\\|c | ")
    assert len(lines) == 6


def test_baselines_stand_beside_the_model(report, data):
    rows = data.rows("test")
    bits = PerRow(np.full(len(rows), 12.0), np.ones(len(rows), np.int64))
    text, figures = report.yardsticks(data, "test", None, bits)
    said = iter(text.splitlines())
    assert next(said) == "baselines with exact bits, fitted to 300 rows:"
    for line, name in zip(
        said, ("independent fields", "Chow-Liu tree", "mixture of products"), strict=True
    ):
        number = r"\d+\.\d{3} ± \d\.\d{3}"
        pattern = rf"  {name}: -?{number} bits/row; the model minus it: [+-]{number}"
        assert re.fullmatch(pattern, line), line
    of_laws = [figure for figure in figures if figure.what == "baseline"]
    beyond = [figure for figure in figures if figure.what == "bits_difference"]
    assert [f.value for f in of_laws] == pytest.approx([12 - f.value for f in beyond])
    assert of_laws[0].value > of_laws[1].value + 1  # the tree knows that weight follows age
    assert of_laws[0].to_json()["method"] == "independent fields, fitted to 300 rows"
    alone, figures = report.yardsticks(data, "test", 20)
    assert "minus" not in alone
    assert [figure.examples for figure in figures] == [20] * 3


def test_measures_and_their_floor(report, data, monkeypatch):
    monkeypatch.setattr(features, "ITERATIONS", 1)
    drawn = tokens(70, 5).astype(np.int32)
    drawn[0] = data.rows("train")[0]
    result = report.measures(drawn, data)
    assert list(result) == ["shape", "trend", "detection_auc", "logistic_auc", "copies"]
    assert result["copies"][0] >= 1 / 70
    drawn[1, 2] = 9
    assert report.measures(drawn, data)["impossible"][0] == 1 / 70
    floor = report.measures(data.rows("test"), data, independent=False)
    assert floor["shape"][0] > 0.8


LOST = {  # what fails -> measures that are lost, and their titles
    (detection, "by_trees"): {"detection_auc": "detection by trees, AUC"},
    (similarity, "mean_trend"): {"trend": "trend of their pairs"},
    (copying, "copies"): {"copies": "samples that are training rows"},
    (copying, "memorised"): {"memory_difference": "bits of held-out rows"},
    (charts, "marginals"): {"picture": "picture"},
    (usefulness, "of_columns"): {
        "usefulness_auc": "usefulness for categories, AUC",
        "usefulness_r2": "usefulness for numbers, R²",
    },
}
EVERY = {"shape", "logistic_auc"}.union(*LOST.values()) - {"picture"}


@pytest.mark.few(1)
@pytest.mark.parametrize("failing", LOST, ids=lambda failing: failing[1])
@pytest.mark.usefixtures("any_types")
def test_a_measure_that_fails_is_named_beside_the_others(
    report, data, monkeypatch, tmp_path, caplog, failing
):
    def fail(*_, **__):
        raise ValueError("there are\ntwo lines")

    monkeypatch.setattr(features, "ITERATIONS", 1)
    monkeypatch.setattr(*failing, fail)
    drawn, lost = tokens(40, 6).astype(np.int32), LOST[failing]
    lines, figures = report.compared(drawn, tmp_path / "samples", Uniform(), {}, data)
    said = [f"  {title}: not measured: there are⏎two lines" for title in lost.values()]
    assert {*said} <= {*lines}
    reasons = {f.what.removesuffix("_floor"): f.failure for f in figures if f.failure}
    assert reasons == dict.fromkeys(lost.keys() & EVERY, "there are⏎two lines")
    measured = {f.what for f in figures if f.value is not None}
    assert EVERY - measured == lost.keys() & EVERY
    report.measures(drawn, data)
    assert len(caplog.messages) == len({"detection_auc", "trend"} & lost.keys())


@pytest.mark.slow
@pytest.mark.usefixtures("any_types")
def test_samples_are_compared_with_real_rows(report, data, monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    drawn = np.stack([rng.permutation(column) for column in tokens(250, 6).T], axis=1)
    report.samples(drawn, tmp_path / "samples")
    lines, figures = report.compared(drawn, tmp_path / "samples", Uniform(), {}, data)
    found = {figure.what: figure.value for figure in figures}
    assert found["detection_auc"] > 0.7 > found["detection_auc_floor"]
    assert found["shape"] > 0.8 > 0.7 > found["usefulness_r2"]
    assert found["usefulness_r2"] < found["usefulness_r2_floor"]
    assert {"copies_floor"} | EVERY <= found.keys()
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.width > 2 * charts.WIDTH
        assert picture.height > charts.HEIGHT + charts.SIDE - 20
    assert lines[0].endswith("samples beside 200 test rows; in brackets as many training rows:")
    said, mean = "\n".join(lines), r"[\d.]+ ± [\d.]+"
    trees, floor = (found[f"detection_auc{end}"] for end in ("", "_floor"))
    assert re.search(rf"by trees, AUC \(0.5 is best\): {trees:.3f} ± .* \({floor:.3f} ±", said)
    assert "\n  samples that are training rows: " in said
    bits = rf"  bits of training rows \(likelihood\): {mean}, of test rows {mean}; these take [+-]"
    assert re.search(bits, said)
    auc, r2, worst = lines[-3:]
    assert "usefulness, AUC of 1 columns" in auc
    assert "usefulness, R² of 2 columns" in r2
    assert worst.startswith("  columns that lose most by that: ")
    monkeypatch.setattr(features, "installed", lambda: False)
    lines, figures = report.compared(drawn, None, Uniform(), {}, data)
    assert "pip install 'amd_jax[tables]'" in lines[-1]
    assert "detection_auc" not in {figure.what for figure in figures}


def test_an_edit_is_said_cell_by_cell(report, tmp_path):
    before = tokens(2, 7).astype(np.int32)
    after = before.copy()
    after[0, 1] = (before[0, 1] + 1) % 20
    lines = report.corrected(before, after, None, tmp_path / "edit")
    assert lines[0].startswith("given:\n    colour=")
    assert re.match(r"corrected \(1 changed\):\n    age=\S+ → \d+$", lines[1])
    assert lines[2].startswith("array: ")
    after[0, 2:] = 9
    assert "a value that no column has" in report.corrected(before, after, None, None)[1]


def test_rows_of_a_network_have_a_report():
    """Data without files: what the known answers are measured on."""
    data = bayesian_networks.clinic()
    lines = run_report.of(data.facts).samples(data.rows("test")[:3], None)
    assert lines[0].startswith("season     ")
    assert data.facts.uniform_bits == pytest.approx(np.log2([4, 3, 2, 3, 2, 3, 2, 3]).sum())
