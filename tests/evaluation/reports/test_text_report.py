"""What is told of a model of text: samples, and corrections marked in the text."""

import re

import numpy as np
import pytest

from amd_jax.data.text import Text
from amd_jax.evaluation import count_models
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.reports import run_report
from amd_jax.facts import TextFacts

LETTERS = TextFacts(4, (8,), alphabet=" abc", frequencies=(0.4, 0.3, 0.2, 0.1))


def corrected(facts, text, fixed):
    told = run_report.of(facts)
    x = told.tokens(text)
    return told.corrected_text(text, x, facts.encode(fixed, unknown=0))


def test_changed_characters_are_marked():
    lines = corrected(LETTERS, "abc ab", "abb ac")
    assert lines == ["given:\n    abc ab", "corrected (2 changed):\n    abb ac\n      ^  ^"]


def test_a_character_outside_the_alphabet_is_kept_and_marked():
    """The model is given the commonest one in its place."""
    assert run_report.of(LETTERS).tokens("aXb").tolist() == [1, 0, 2]
    lines = corrected(LETTERS, "aXb\n", "acb ")
    assert lines[0] == "given:\n    aXb⏎"
    assert lines[1] == "corrected (0 changed):\n    aXb⏎\n     ? ?"
    assert lines[2] == "? marks what the alphabet lacks, and is kept: 2"


def test_bytes_of_one_character_are_marked_once():
    facts = TextFacts(256, (8,), unit="byte")
    lines = corrected(facts, "café ok", "cafè ok")
    assert lines[1] == "corrected (1 changed):\n    cafè ok\n       ^"


def test_line_ends_are_read_as_the_model_knows_them():
    facts = TextFacts(3, (8,), alphabet="\nab")
    assert run_report.of(facts).tokens("a\r\nb").tolist() == [1, 0, 2]


def test_no_text_is_refused():
    with pytest.raises(ValueError, match="must not be empty"):
        run_report.of(LETTERS).tokens("")


def test_samples_are_shown_and_kept(tmp_path):
    drawn = np.array([[1, 2, 3, 0, -1, 4, 1, 1], [0] * 8])
    lines = run_report.of(LETTERS).samples(drawn, tmp_path / "samples_seed0")
    assert lines[:2] == ["sample 1:\n    abc \ufffd░aa", "sample 2:\n            "]
    assert (tmp_path / "samples_seed0.txt").read_text() == "abc \ufffd░aa\n        \n"
    with np.load(tmp_path / "samples_seed0.npz") as kept:
        np.testing.assert_array_equal(kept["samples"], drawn)


def test_other_samples_do_not_replace_the_first(tmp_path):
    """The same ones do, in the same files; nor do rows that were edited."""
    report, stem = run_report.of(LETTERS), tmp_path / "samples_seed0"
    names = []
    for token in (1, 2, 1, 3, 2):
        lines = report.samples(np.full((2, 8), token), stem)
        names.append(lines[-2].removeprefix(f"text: {tmp_path}/"))
        assert lines[-1] == lines[-2].replace("text", "array").replace(".txt", ".npz")
    assert names == [f"samples_seed0{end}.txt" for end in ("", "-2", "", "-3", "-2")]
    seen = [(tmp_path / name).read_text()[:2] for name in names]
    assert seen == ["aa", "bb", "aa", "cc", "bb"]
    x, rows = np.full((2, 8), 1), []
    for given, done in ((x, x), (x, x + 1), (x + 1, x + 1), (x, x)):
        *_, line = report.corrected(given, done, None, tmp_path / "edit_seed0", "edited")
        rows.append(line.removeprefix(f"array: {tmp_path}/edit_seed0"))
    assert rows == [".npz", "-2.npz", "-3.npz", ".npz"]
    with np.load(tmp_path / "edit_seed0-2.npz") as kept:
        assert (kept["given"] == x).all()
        assert (kept["edited"] == x + 1).all()
    trial = report.corrected(x, x, x, tmp_path / "correct_seed0")
    assert not any(line.startswith("array") for line in trial)


def test_many_samples_are_kept_and_some_are_shown(tmp_path):
    lines = run_report.of(LETTERS).samples(np.ones((30, 8), int), tmp_path / "many")
    assert lines[8] == "... and 22 more"
    assert len((tmp_path / "many.txt").read_text().splitlines()) == 30


@pytest.mark.usefixtures("any_types")
def test_words_are_compared_with_the_training_text():
    tokens = LETTERS.encode("abc cab abc cab ").astype(np.uint8)
    data = Text(" abc", 8, {"train": tokens})
    drawn = np.stack([LETTERS.encode(" abc aa ") for _ in range(2)])
    told = run_report.of(data.facts).compared(drawn, None, None, None, data)
    assert told == (["words of the samples that occur in the training text: 50%"], [])


def test_errors_of_samples_are_by_rows_and_those_of_a_text_by_blocks():
    """Of 64 rows the first half knows all its words, and the second none."""
    data = Text(" abc", 8, {"train": LETTERS.encode("abc cab abc cab " * 9).astype(np.uint8)})
    rows = np.stack([LETTERS.encode(t) for t in [" abc cab"] * 32 + [" bbb bbb"] * 32])
    of_samples = run_report.of(data.facts).measures(rows, data)
    of_text = run_report.of(data.facts).measures(rows, data, independent=False)
    for name in ("known_words", "count_model_bits"):
        assert of_samples[name][0] == of_text[name][0]
        assert of_text[name][1] > 2.5 * of_samples[name][1], name
    assert of_samples["known_words"] == pytest.approx((0.5, 0.5 / 63**0.5))


def test_count_models_are_compared_with_a_model_by_pairs_of_rows():
    rng = np.random.default_rng(0)
    data = Text(
        " abc", 8, {s: rng.integers(0, 4, 800).astype(np.uint8) for s in ("train", "test")}
    )
    counts = count_models.bits_of_rows(data.stream("train"), data.rows("test")[:40], 4, 3)
    bits = PerRow(counts.sums + 0.8, counts.counts)  # of a model that needs 0.1 more a character
    text, figures = run_report.of(data.facts).yardsticks(data, "test", 40, bits)
    assert re.search(
        r"order 3: \d\.\d+ ± \d\.\d+ bits/char; the model minus it: \+0\.100 ± ", text
    )
    assert [(f.what, f.order, f.to) for f in figures][2:4] == [
        ("count_model", 3, None),
        ("bits_difference", None, "count model of order 3"),
    ]
    assert figures[3].rows.mean() == pytest.approx((0.1, 0.0), abs=1e-9)
    text, figures = run_report.of(data.facts).yardsticks(data, "test", 40)
    assert "minus" not in text
    assert [figure.order for figure in figures] == [0, 3, 6]


@pytest.mark.usefixtures("any_types")
def test_lines_end_at_their_padding():
    facts = TextFacts(3, (5,), alphabet="\nab", padding=0)
    assert facts.show([1, 2, 0, 0, 0]) == "ab"
    assert facts.show([1, 2, 1, 2, 1]) == "ababa"
    assert run_report.of(facts).yardsticks(None, "test", None) == ("", [])
