"""What is told of a model of lines: samples, measures beside real lines, and count models."""

import csv
import dataclasses

import numpy as np
import pytest

from amd_jax.data.lines import Lines
from amd_jax.evaluation import label_success
from amd_jax.evaluation.lines import line_counts
from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.reports.line_report import LineReport
from amd_jax.facts import LineFacts

RINGS = ["C1CC1", "C1CCC1", "C1CCCC1", "O1CC1", "C1OC1"]
CHAINS = ["C" * n + "O" for n in range(1, 6)]
PLAIN = LineFacts.of("1CO", (1 / 7,) * 7, validity="smiles")
LABELLED = LineFacts.of("1CO", (1 / 7,) * 7, ("chain", "ring"))


def rows(facts, lines, labels=None):
    pairs = zip(lines, labels or [""] * len(lines), strict=True)
    return np.stack([facts.row(*pair) for pair in pairs])


@pytest.fixture
def data():
    tokens = {
        "train": rows(PLAIN, RINGS[:4] + CHAINS[:4]),
        "test": rows(PLAIN, ["C1OC1", "CCCCCO"]),
    }
    return Lines("1CO", tokens, validity="smiles")


def test_samples_are_shown_and_kept(tmp_path):
    report = run_report.of(PLAIN)
    assert isinstance(report, LineReport)
    drawn = rows(PLAIN, CHAINS * 3)
    lines = report.samples(drawn, tmp_path / "samples_seed0")
    assert lines[:3] == ["samples:", "  CO", "  CCO"]
    assert "  ... and 5 more" in lines
    assert lines[-2] == f"lines: {tmp_path / 'samples_seed0.txt'}"
    assert (tmp_path / "samples_seed0.txt").read_text() == "".join(f"{c}\n" for c in CHAINS * 3)
    with np.load(tmp_path / "samples_seed0.npz") as kept:
        np.testing.assert_array_equal(kept["samples"], drawn)
    assert report.preview(drawn).splitlines()[0] == "    CO"


def test_samples_with_labels_are_a_table(tmp_path):
    drawn = rows(LABELLED, ["C1CC1", "CO"], ["ring", "chain"])
    lines = run_report.of(LABELLED).samples(drawn, tmp_path / "s")
    assert lines[1:3] == ["  ring: C1CC1", "  chain: CO"]
    with (tmp_path / "s.csv").open() as file:
        assert [*csv.reader(file)] == [["label", "line"], ["ring", "C1CC1"], ["chain", "CO"]]


def test_measures_are_by_hand(data):
    """Of six samples five are valid, four of these differ, and two of the four are new."""
    drawn = rows(PLAIN, ["CO", "CO", "C1CC1", "OC", "COC", "C1C"])
    result = run_report.of(PLAIN).measures(drawn, data)
    assert result["valid"][0] == pytest.approx(5 / 6)
    assert result["unique"][0] == pytest.approx(4 / 5)
    assert result["novel"][0] == pytest.approx(2 / 4)
    lengths = np.array([0, 0, 3, 2, 0, 1, 0, 0]) / 6  # of 0, 1, ... characters
    real = np.array([0, 0, 1, 1, 1, 3, 1, 1]) / 8
    assert result["line_lengths"][0] == pytest.approx(abs(lengths - real).sum() / 2)
    assert "line_labels" not in result


def test_measures_of_labels_and_without_a_rule():
    tokens = {"train": rows(LABELLED, ["CO", "C1CC1"] * 2, ["chain", "ring"] * 2)}
    data = Lines("1CO", tokens, labels=("chain", "ring"))
    drawn = rows(LABELLED, ["C1", "CO", "CO", "O"], ["ring", "chain", "chain", "chain"])
    result = run_report.of(LABELLED).measures(drawn, data)
    assert [*result] == ["unique", "novel", "line_lengths", "line_labels"]
    assert result["unique"][0] == 3 / 4  # what is no molecule counts, too
    assert result["line_labels"][0] == 1 / 4


@pytest.mark.usefixtures("any_types")  # no model is needed
def test_samples_are_compared_with_held_out_lines(data):
    drawn = rows(PLAIN, ["CO", "C1C", "OC", "OC"])
    lines, figures = run_report.of(PLAIN).compared(drawn, None, None, {}, data)
    assert lines[:5] == [
        "4 samples; in brackets 2 test lines:",
        "  lines that are valid: 75.0% ± 25.0% (100.0% ± 0.0%)",
        "  valid lines that differ: 66.7% ± 0.0% (100.0% ± 0.0%)",
        "  different ones that are no training lines: 50.0% ± 50.0% (100.0% ± 0.0%)",
        "  lengths, total variation: 0.750 ± 0.153 (0.500 ± 0.177)",
    ]
    kept = {figure.what: figure.value for figure in figures}
    assert kept["valid"] == 0.75
    assert kept["valid_floor"] == 1.0
    assert [f.examples for f in figures[:2]] == [4, 2]
    # properties are those of valid lines
    assert "in brackets those of test lines:" in lines
    shown = next(line for line in lines if line.startswith("  rings:"))
    means, distances = shown.split(";")
    assert means == "  rings: 0.000 ± 0.000 (0.500 ± 0.500)"
    assert distances.startswith(" 0.500 ± ")  # half of the training lines have a ring
    assert "(0.000 ± " in distances
    assert (kept["length_mean"], kept["length_mean_floor"]) == (2, 5.5)
    assert kept["length_distance"] == 37 / 8 - 2
    assert kept["heteroatoms_mean"] == 1


@pytest.mark.usefixtures("any_types")  # no model is needed
def test_without_a_valid_sample_there_are_no_properties(data):
    lines, figures = run_report.of(PLAIN).compared(rows(PLAIN, ["C1", "1"]), None, None, {}, data)
    assert lines[-1] == "properties of lines: not measured, since no line is valid"
    assert not any("_mean" in figure.what for figure in figures)


COUNTED = dataclasses.replace(
    LineFacts.of("1CO", (1 / 7,) * 7, ("0", "1")), frequencies=(0.2, 0.2, 0.2, 0, 0.1, 0.3)
)
COUNTED = dataclasses.replace(COUNTED, label_rule="rings")


@pytest.mark.usefixtures("any_types")  # no model is needed
def test_lines_have_the_label_that_they_are_given():
    """Two of three are rings, and one of two is a chain: C1 is neither."""
    tokens = {"train": rows(COUNTED, ["CO", "C1CC1"] * 2, ["0", "1"] * 2)}
    data = Lines("1CO", tokens, labels=("0", "1"), label_rule="rings")
    drawn = rows(COUNTED, ["C1CC1", "CO", "C1OC1", "CCO", "C1"], ["1", "1", "1", "0", "0"])
    assert run_report.of(COUNTED).measures(drawn, data)["label_success"][0] == 3 / 5
    lines, figures = run_report.of(COUNTED).compared(drawn, None, None, {}, data)
    assert "  0: 50.0% ± 50.0% of 2 (25.0%)" in lines
    assert "  1: 66.7% ± 33.3% of 3 (75.0%)" in lines
    kept = {(figure.what, figure.method): figure.value for figure in figures}
    assert kept["given_label", "label 1"] == pytest.approx(2 / 3)
    assert kept["label_success_floor", None] == 1
    _, alone = label_success.by_label(COUNTED, drawn[:3])
    assert [figure.method for figure in alone] == ["label 1"]


def test_count_models_stand_beside_a_model(data):
    bits = line_counts.bits_of_rows(PLAIN, data.rows("train"), data.rows("test"), 0)
    text, figures = run_report.of(PLAIN).yardsticks(data, "test", None, bits)
    first, order_0, *_ = text.splitlines()
    assert first == "count models of the same lines, ends included:"
    assert order_0.endswith("the model minus it: +0.000 ± 0.000")
    named = [(f.what, f.order) for f in figures]
    assert named == [e for n in (0, 3, 6) for e in (("count_model", n), ("bits_difference", None))]
    assert figures[0].method == "fitted to 8 lines"


def test_a_line_becomes_tokens_with_its_label():
    assert run_report.of(PLAIN).tokens("CO\n").tolist() == [1, 2]
    assert run_report.of(LABELLED).tokens("ring: CO").tolist() == [5, 1, 2]
    with pytest.raises(ValueError, match="A label of lines is one of chain, ring"):
        run_report.of(LABELLED).tokens("CO")
    with pytest.raises(ValueError, match="1 to 7 characters; got 0"):
        run_report.of(PLAIN).tokens("\n")


def test_an_unknown_character_is_given_as_the_commonest_one():
    """Which is none of padding and labels, even if these are more frequent."""
    facts = dataclasses.replace(LABELLED, frequencies=(0.1, 0.1, 0.2, 0.5, 0.0, 0.1))
    assert run_report.of(facts).tokens("ring: CN").tolist() == [5, 1, 2]


def test_the_uniform_law_is_of_characters_and_ends():
    assert LABELLED.uniform_bits == 2.0
